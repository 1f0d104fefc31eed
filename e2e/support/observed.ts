import type { Page } from '@playwright/test'

export interface Seen {
  readonly atMs: number
  readonly text: string
}

/**
 * Notes inside the page, with times, every text that one part of it shows from now on: waiting from outside would measure the waiting too.
 * @param selector the first element that it finds, e.g. by `aria-label`
 */
export async function observe(page: Page, selector: string): Promise<() => Promise<Seen[]>> {
  const quoted = JSON.stringify(selector)
  await page.evaluate(`
    (() => {
      const seen = (globalThis.observed ??= {})[${quoted}] = []
      const look = () => {
        const element = document.querySelector(${quoted})
        if (!element) return
        const text = element.innerText + (element.getAttribute('aria-busy') === 'true' ? ' (busy)' : '')
        if (seen.at(-1)?.text !== text) seen.push({ atMs: Date.now(), text })
      }
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true })
      look()
    })()`)
  return () => page.evaluate<Seen[]>(`globalThis.observed[${quoted}]`)
}
