import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { expect, type Page } from '@playwright/test'

/**
 * What axe finds on what is shown now: rule, place, and what would mend it. In legacy mode, which looks into no frames of other origins: the page has none,
 * and the other mode opens a page of its own for each look.
 */
export async function findingsOfAxe(page: Page): Promise<string[]> {
  await arrived(page)
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze()
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target.join(' ')} ${failureSummary?.split('\n')[1]?.trim() ?? ''}`),
  )
}

/** What moves or fades has arrived, what turns for ever apart: halfway its colours are none that were chosen. */
async function arrived(page: Page): Promise<void> {
  await page.evaluate(`Promise.allSettled(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
    .map((one) => one.finished)).then(() => {})`)
}

export type View = readonly [theme: 'light' | 'dark', width: number, height: number]
/** Each theme and each size, once each. */
const usualViews: readonly View[] = [
  ['light', 1280, 800],
  ['dark', 960, 640],
]
/** Both themes at the smallest size. */
export const smallViews: readonly View[] = [
  ['light', 960, 640],
  ['dark', 960, 640],
]

/** Looks at what is open in each view, and keeps a picture of it: axe must find nothing. */
export async function clearToAll(page: Page, pictures: string, name: string, views: readonly View[] = usualViews): Promise<void> {
  const found: string[] = []
  const size = page.viewportSize()
  for (const [theme, width, height] of views) {
    await page.setViewportSize({ width, height })
    await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`)
    await arrived(page)
    await page.screenshot({ path: join(pictures, `${name}-${theme}-${width}.png`) })
    for (const finding of await findingsOfAxe(page)) found.push(`${name} ${theme} ${width}: ${finding}`)
  }
  if (size) await page.setViewportSize(size)
  expect(found).toEqual([])
}
