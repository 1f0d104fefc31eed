import { webLink } from '../../preload/api/web-link.ts'

/** Origin of the app's own page inside the window; its files come from the app's package by a protocol of its own. */
export const pageOrigin = 'app://cocoon'

/** The page never leaves its origin: anything else that tries to navigate is refused. */
export function mayNavigate(url: string): boolean {
  return url === pageOrigin || url.startsWith(`${pageOrigin}/`)
}

/** What is asked before a link opens in the user's browser. Null for what never opens: files, other programs' schemes. */
export function linkQuestion(link: string): { url: string; message: string; detail: string; buttons: string[] } | null {
  const url = webLink(link)
  if (!url) return null
  const unencrypted = url.protocol === 'http:' ? '\n\nThe connection is not encrypted.' : ''
  return {
    url: url.href,
    message: `Open ${url.host}?`,
    detail: `${url.href}${unencrypted}`,
    buttons: ['Open in the browser', 'Cancel'],
  }
}

/** Deny by default: the page needs nothing but to write the clipboard when the user presses Copy. */
const allowedPermissions: ReadonlySet<string> = new Set(['clipboard-sanitized-write'])

export function mayUse(permission: string): boolean {
  return allowedPermissions.has(permission)
}

/** File of the page for a request, relative to the renderer's folder; null when it asks for anything outside of it. */
export function pageFile(url: string): string | null {
  if (!mayNavigate(url)) return null
  let path: string
  try {
    path = decodeURIComponent(new URL(url).pathname)
  } catch {
    return null
  }
  if (path.split(/[\\/]/).includes('..') || path.includes('\0')) return null
  return path === '' || path === '/' ? 'index.html' : path.slice(1)
}
