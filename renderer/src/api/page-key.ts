import { pageKeyInHash } from '../../../preload/api/link.ts'

const place = 'cocoon.pageKey'

/**
 * Takes the page's key out of the address that the one-time link led to, and keeps it for reloads, for other tabs, and for connecting again. The storage
 * belongs to this origin alone, with its port: unlike the cookie, which the browser shows to every web server of this computer.
 * @param page the window; its address names no key afterwards
 * @returns reads the key as it is at that moment; undefined where this browser has none
 */
export function pageKeyOf(page: Pick<Window, 'location' | 'history' | 'localStorage'>): () => string | undefined {
  const brought = pageKeyInHash(page.location.hash)
  if (brought === undefined) return () => stored(page)
  page.history.replaceState(null, '', page.location.pathname)
  try {
    page.localStorage.setItem(place, brought)
    return () => stored(page)
  } catch {
    // Without storage the key lives as long as the page: a reload needs a new link.
    return () => brought
  }
}

function stored(page: Pick<Window, 'localStorage'>): string | undefined {
  try {
    return page.localStorage.getItem(place) ?? undefined
  } catch {
    return undefined
  }
}
