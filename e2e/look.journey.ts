import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import type { RunningApp } from './support/app.ts'
import { clearToAll, findingsOfAxe } from './support/axe.ts'
import { conditionTools } from './support/conditions.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import {
  answered,
  answeredInPart,
  ask,
  chooseLevel,
  goTo,
  openApp,
  pendingRequest,
  practice,
  readyMs,
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

/** A metered connection, and a card whose programs are told; neither matters on the practice network until the journey says so. */
const tools = conditionTools()
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
  ...(['Earning limits', 'Local API', 'Models and storage', 'Appearance', 'Language', 'About'] as const).map(
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
  ;({ app, window, page } = await openApp(browser, await dataDirWithModel(), { env: tools.env }))
  const free = await ask(page, 'What is a heat pump?')
  await answeredInPart(free)
  await chooseLevel(page, practice)
  await answered(await ask(page, 'Say that in one short sentence.'))
  await goTo(page, 'Earn')
  await pendingRequest(page)
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
        for (const finding of await findingsOfAxe(page)) found.push(`${where}: ${finding}`)
        await page.keyboard.press('Escape')
        await expect(page.getByRole('dialog')).toBeHidden()
      }
      expect(found).toEqual([])
    })

const limit = (name: string) => page.getByRole('switch', { name, exact: true })
async function openLimits(): Promise<void> {
  await goTo(page, 'Settings')
  await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Earning limits' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Earning limits' })).toBeVisible()
}
const earnTitle = () => page.getByRole('heading', { level: 1 })

test('a limit counts at once, and Earn says that it pauses and why', async () => {
  await openLimits()
  await expect(page.getByText('Now: paid by volume.')).toBeVisible()
  await expect(page.getByText('Now: no other program.').first()).toBeVisible()
  await expect(page.getByText('Not known: this computer does not tell.').first()).toBeVisible()
  await expect(page.getByText('Now: loaded, and stays so while it is offered on the network.')).toBeVisible()
  // Test coins are no reason to pause until the owner says so.
  await expect(page.getByText('Pauses now')).toBeHidden()
  await limit('Also on the practice network').click()
  await expect(page.getByText('Pauses now')).toBeVisible()
  await expect(page.getByText('Now: loaded.')).toBeVisible()
  await goTo(page, 'Earn')
  await expect(earnTitle()).toHaveText('Paused on a metered connection')
  await expect(page.getByTestId('earn-line')).toHaveText('Starts again on a connection that is not paid by volume.')
  await expect(page.getByRole('button', { name: 'Earn anyway' })).toBeHidden()
  await page.getByRole('button', { name: 'Limits' }).click()
  await limit('On a metered connection').click()
  await expect(page.getByRole('radio', { name: 'Own', exact: true })).toBeChecked()
  await goTo(page, 'Earn')
  await expect(earnTitle()).not.toContainText('Paused')
})

test('hours painted by mouse and by keyboard pause earning, and Earn says until when', async () => {
  await goTo(page, 'Earn')
  await page.getByRole('button', { name: 'Schedule' }).click()
  const card = page.getByRole('region', { name: 'Schedule' })
  await expect(card.getByRole('heading', { name: 'Schedule' })).toBeFocused()
  const cells = card.getByRole('table').getByRole('button')
  await expect(cells).toHaveCount(168)
  const hoursOn = card.getByRole('button', { pressed: true }).and(cells)
  await expect(hoursOn).toHaveCount(168)

  // The pointer: from the first hour of Monday over the whole week, with one stop on its way.
  await cells.nth(0).hover()
  await page.mouse.down()
  await cells.nth(60).hover()
  await expect(hoursOn).toHaveCount(168 - 3 * 13)
  await cells.nth(167).hover()
  await page.mouse.up()
  await expect(hoursOn).toHaveCount(0)
  await expect(card.getByText('No hour is left: this computer never serves.')).toBeVisible()
  await expect(card.getByText('Pauses now')).toBeVisible()
  await clearToAll(page, pictures, 'schedule')

  // Keys: from there to two hours of which the first begins in more than an hour.
  const ahead = new Date(Date.now() + 3 * 3_600_000)
  const at = ((ahead.getDay() + 6) % 7) * 24 + Math.min(ahead.getHours(), 22)
  await expect(cells.nth(0)).toBeFocused()
  for (let day = 0; day < Math.floor(at / 24); day++) await page.keyboard.press('ArrowDown')
  for (let hour = 0; hour < at % 24; hour++) await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Space')
  await page.keyboard.press('Shift+ArrowRight')
  await expect(hoursOn).toHaveCount(2)
  for (const one of [at, at + 1]) await expect(cells.nth(one)).toHaveAttribute('aria-pressed', 'true')

  await goTo(page, 'Earn')
  await expect(earnTitle()).toHaveText(new RegExp(`^Off by your schedule until (\\w+, )?${String(at % 24).padStart(2, '0')}:00$`))
  await page.screenshot({ path: join(pictures, 'earn-schedule.png') })
  await page.getByRole('button', { name: 'Earn anyway' }).click()
  await expect(earnTitle()).not.toContainText('Off by your schedule')

  // The list says the same, and sets hours without the grid.
  await page.getByRole('button', { name: 'Schedule' }).click()
  await expect(card.getByText('passed over')).toBeVisible()
  await card.getByRole('group', { name: 'Days' }).getByRole('button', { name: 'Sat' }).click()
  await card.getByRole('combobox', { name: 'From' }).selectOption('23')
  await card.getByRole('combobox', { name: 'to' }).selectOption('1')
  await card.getByRole('button', { name: 'Earn then' }).click()
  for (const one of [23, 24, 143, 144]) await expect(cells.nth(one)).toHaveAttribute('aria-pressed', 'true')
  await card.getByRole('radio', { name: 'Always' }).click()
  await expect(hoursOn).toHaveCount(168)
  await goTo(page, 'Earn')
  await expect(earnTitle()).not.toContainText('Off by your schedule')
})

test('net profit is told by the prices of the owner, and what is not measured is said to be not known', async () => {
  await goTo(page, 'Earn')
  const net = page.getByRole('region', { name: 'Net today' })
  await expect(net.getByText('worth nothing')).toBeVisible()
  await expect(net.getByTestId('net')).toBeHidden()
  await page
    .getByRole('region', { name: 'Earning now' })
    .getByRole('link', { name: 'Set your power price to see net profit' })
    .click()
  const card = page.getByRole('region', { name: 'Electricity' })
  await expect(card.getByRole('heading', { name: 'Electricity' })).toBeFocused()
  await expect(card.getByRole('switch', { name: 'Pause when it does not pay' })).toBeDisabled()
  const price = card.getByRole('textbox', { name: 'Price per kWh' })
  await price.fill('a lot')
  await expect(card.getByText(/^A number above 0, for example 0\.17 or 1250/)).toBeVisible()
  await price.fill('0.17')
  await price.press('Enter')
  await expect(card.getByText('Choose the currency of this price.')).toBeVisible()
  await card.getByRole('combobox', { name: 'Currency' }).selectOption('USD')
  await expect(card.getByText('Choose the currency of this price.')).toBeHidden()
  // Test coins are worth nothing: both numbers are known.
  await expect(card.getByRole('switch', { name: 'Pause when it does not pay' })).toBeEnabled()
  await card.getByRole('textbox', { name: 'What 1 TON is worth to you' }).fill('1.58')
  await card.getByRole('textbox', { name: 'What 1 TON is worth to you' }).press('Tab')
  await expect(card.getByText(/^As you said on /)).toBeVisible()
  await clearToAll(page, pictures, 'prices')

  // The processor answered here, and nothing tells its power.
  await goTo(page, 'Earn')
  await expect(net.getByText(/Electricity, 0\.00\skWh at \$0\.17/)).toBeVisible()
  await expect(net.getByTestId('net')).toHaveText('not known')
  await expect(net.getByText(/^The processor answers, and nothing here tells its power/)).toBeVisible()
  await net.getByRole('button', { name: 'How this is reckoned' }).click()
  await expect(page.getByText('The rest of the computer is not counted, because Cocoon does not keep it awake.')).toBeVisible()
  await clearToAll(page, pictures, 'earn-net')
  await page.keyboard.press('Escape')

  // A price that is taken back is none, and what a TON is worth in its currency goes with it.
  await net.getByRole('link', { name: 'Price per kWh' }).click()
  await price.fill('')
  await price.press('Tab')
  await expect(card.getByText('Set the price per kWh first.')).toBeVisible()
  await goTo(page, 'Earn')
  await expect(net.getByText('Set your power price to see net profit')).toBeVisible()
})

test('a game is given the memory of the model, and the page says so everywhere', async () => {
  expect(app.children('engine-process')).toHaveLength(1)
  tools.game(true)
  await expect(earnTitle()).toHaveText('Paused while game.exe runs')
  await expect.poll(() => app.children('engine-process')).toEqual([])
  await page.screenshot({ path: join(pictures, 'earn-game.png') })
  await openLimits()
  await expect(page.getByText('Now: game.exe, 92% of the card.').first()).toBeVisible()
  await expect(page.getByText('Now: its memory is with another program.')).toBeVisible()
  await page.screenshot({ path: join(pictures, 'settings-limits-game.png') })
  await goTo(page, 'Models')
  await expect(page.getByText('Memory is with another program')).toBeVisible()

  // Own questions wait for their owner's word; with it, the first one wakes the model, and serving still waits.
  await goTo(page, 'Chat')
  await page.keyboard.press('Control+n')
  await expect(page.getByRole('heading', { name: 'Ask anything' })).toBeVisible()
  await page.screenshot({ path: join(pictures, 'chat-game.png') })
  await page.getByRole('button', { name: 'Use the model anyway' }).click()
  await expect(page.getByText('Asleep. Wakes with the first question, and is checked before it is asked.')).toBeVisible()
  await page.screenshot({ path: join(pictures, 'chat-asleep.png') })
  expect(app.children('engine-process')).toEqual([])
  await page.getByRole('textbox', { name: 'Message' }).fill('Say one word.')
  await page.getByRole('textbox', { name: 'Message' }).press('Enter')
  // The question stays with the user until the model is there and its new process was checked.
  const turn = page.getByRole('article', { name: 'Question: Say one word.' })
  await expect(turn).toBeVisible({ timeout: readyMs })
  await answeredInPart(turn)
  expect(app.children('engine-process')).toHaveLength(1)
  await goTo(page, 'Earn')
  await expect(earnTitle()).toHaveText('Paused while game.exe runs')

  await page.getByRole('button', { name: 'Earn anyway' }).click()
  await expect(earnTitle()).not.toContainText('Paused')
  await goTo(page, 'Models')
  await expect(page.getByText('Memory is with another program')).toBeHidden()
  tools.game(false)
})
