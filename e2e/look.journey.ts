import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import { type RunningApp, startApp } from './support/app.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import {
  answered,
  answeredInPart,
  ask,
  chooseLevel,
  goTo,
  newestRequest,
  newWindow,
  openByLink,
  practice,
  settle,
} from './support/screens.ts'

const pictures = join(import.meta.dirname, '..', 'test-results', 'screens')
const sizes = [
  { width: 1280, height: 800 },
  { width: 960, height: 640 },
] as const
const themes = ['Light', 'Dark'] as const
/** Every theme in every size with `LOOK=all`; else each theme and each size once, which is what can go wrong by itself, in half the time. */
const isLookedAt = (theme: (typeof themes)[number], size: (typeof sizes)[number]): boolean =>
  process.env.LOOK === 'all' || (theme === 'Light') === (size.width === 1280)

test.describe.configure({ mode: 'serial' })

let app: RunningApp
let window: BrowserContext
let page: Page

/** Each screen: how to get there, and what shows that it is there. */
const screens: ReadonlyArray<readonly [string, () => Promise<void>]> = [
  [
    'chat-new',
    async () => {
      await goTo(page, 'Chat')
      await expect(page.getByRole('heading', { name: 'Ask anything' })).toBeVisible()
    },
  ],
  [
    'chat',
    async () => {
      await openChat()
      await expect(page.getByRole('article').first()).toBeVisible()
    },
  ],
  [
    'chat-switcher',
    async () => {
      await openChat()
      await page.getByRole('button', { name: 'Change who can read this' }).click()
      await expect(page.getByRole('dialog', { name: 'Who can read this' })).toBeVisible()
    },
  ],
  [
    'chat-evidence',
    async () => {
      await openChat()
      await page.getByRole('button', { name: /^Privacy: / }).click()
      await expect(page.getByRole('dialog').getByText('Evidence', { exact: true })).toBeVisible()
    },
  ],
  [
    'palette',
    async () => {
      await openChat()
      await page.keyboard.press('Control+k')
      await expect(page.getByRole('dialog', { name: 'Command palette' })).toBeVisible()
    },
  ],
  [
    'earn',
    async () => {
      await goTo(page, 'Earn')
      await expect(page.getByLabel('Payouts', { exact: true }).getByRole('table')).toBeVisible()
      await expect(page.getByText('This computer', { exact: true })).toBeVisible()
    },
  ],
  [
    'models',
    async () => {
      await goTo(page, 'Models')
      await expect(page.getByRole('row', { name: /SmolLM2/ })).toBeVisible()
    },
  ],
  [
    'wallet',
    async () => {
      await goTo(page, 'Wallet')
      await expect(page.getByText('You can spend')).toBeVisible()
    },
  ],
  [
    'network',
    async () => {
      await goTo(page, 'Network')
      await expect(page.getByRole('region', { name: 'Rules of the network' })).toBeVisible()
    },
  ],
  ...(['Local API', 'Models and storage', 'Appearance', 'Language', 'About'] as const).map(
    (section) =>
      [
        `settings-${section.toLowerCase().replaceAll(' ', '-')}`,
        async () => {
          await goTo(page, 'Settings')
          await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: section }).click()
          await expect(page.getByRole('heading', { level: 1, name: section })).toBeVisible()
        },
      ] as const,
  ),
]

async function openChat(): Promise<void> {
  await goTo(page, 'Chat')
  const list = page.getByRole('complementary', { name: 'Conversations' })
  if (!(await list.isVisible())) await page.getByRole('button', { name: 'Show the chat list' }).click()
  await list.getByRole('link').first().click()
  await expect(page.getByRole('log', { name: 'Conversation' })).toBeVisible()
}

test.beforeAll(async ({ browser }) => {
  app = await startApp(await dataDirWithModel())
  window = await newWindow(browser)
  page = await window.newPage()
  await openByLink(page, app)
  const free = await ask(page, 'What is a heat pump?')
  await answeredInPart(free)
  await chooseLevel(page, practice)
  await answered(await ask(page, 'Say that in one short sentence.'))
  await goTo(page, 'Earn')
  await expect.poll(async () => (await newestRequest(page))?.Money, { timeout: 20_000 }).toMatch(/pending/i)
  await settle(page)
  mkdirSync(pictures, { recursive: true })
})

test.afterAll(async () => {
  await window?.close()
  await app?.stop()
})

for (const theme of themes)
  for (const size of sizes.filter((one) => isLookedAt(theme, one)))
    test(`every screen is clear to all in ${theme.toLowerCase()} at ${size.width} × ${size.height}`, async () => {
      await page.setViewportSize(size)
      await page.emulateMedia({ reducedMotion: 'reduce' })
      await goTo(page, 'Settings')
      await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Appearance' }).click()
      await page.getByRole('radio', { name: theme }).click()
      await expect(page.locator(`html[data-theme="${theme.toLowerCase()}"]`)).toBeAttached()

      const found: string[] = []
      for (const [name, open] of screens) {
        await open()
        const where = `${name} ${theme.toLowerCase()} ${size.width}`
        await page.screenshot({ path: join(pictures, `${where.replaceAll(' ', '-')}.png`) })
        const wide = await page.evaluate<number>('document.scrollingElement.scrollWidth - innerWidth')
        if (wide > 0) found.push(`${where}: ${wide} px wider than the window`)
        const cut = await page.evaluate<number>(`
          Math.max(0, ...[...document.querySelectorAll('main')].map((main) => main.scrollWidth - main.clientWidth))`)
        if (cut > 0) found.push(`${where}: the content is ${cut} px wider than its place`)
        const { violations } = await new AxeBuilder({ page }).analyze()
        for (const { id, nodes } of violations)
          for (const node of nodes)
            found.push(`${where}: ${id} ${node.target.join(' ')} ${node.failureSummary?.split('\n')[1] ?? ''}`)
        await page.keyboard.press('Escape')
        await expect(page.getByRole('dialog')).toBeHidden()
      }
      expect(found).toEqual([])
    })
