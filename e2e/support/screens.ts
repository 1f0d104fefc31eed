import { type Browser, type BrowserContext, expect, type Locator, type Page } from '@playwright/test'
import { type RunningApp, startApp } from './app.ts'
import { countOf, nanoOf } from './money.ts'
import { observe, type Seen } from './observed.ts'

/** What a person does and sees in the app, by the names that the screens show. */

export type ScreenName = 'Chat' | 'Earn' | 'Models' | 'Wallet' | 'Network' | 'Settings'

/** Each level by its name, and as the page marks it. */
const levels = {
  'On this computer': 'computer',
  'Your devices': 'devices',
  'Attested network': 'attested',
  'Open network': 'open',
  'Practice network, all roles on this computer': 'practice',
  'Another program': 'external',
} as const
export type LevelName = keyof typeof levels

export const practice: LevelName = 'Practice network, all roles on this computer'
export const computer: LevelName = 'On this computer'

/** The first request after a start waits for chain, contracts and model. */
export const readyMs = 180_000
/** The longest answer of 512 tokens, at the speed of a machine with two cores and much else to do: a few tokens in a second. */
const answerMs = 600_000

export const windowOptions = { viewport: { width: 1280, height: 800 }, locale: 'en-GB' } as const

export async function newWindow(browser: Browser): Promise<BrowserContext> {
  return browser.newContext(windowOptions)
}

/** A running app, and a person's window of it. */
export interface OpenedApp {
  readonly app: RunningApp
  readonly window: BrowserContext
  readonly page: Page
}

/** Starts the app on a folder and opens it in a window of its own. */
export async function openApp(
  browser: Browser,
  dataDir: string,
  options: Parameters<typeof startApp>[1] = {},
): Promise<OpenedApp> {
  const app = await startApp(dataDir, options)
  try {
    const window = await newWindow(browser)
    const page = await window.newPage()
    await openByLink(page, app)
    return { app, window, page }
  } catch (thrown) {
    await app.stop()
    throw thrown
  }
}

export async function openByLink(page: Page, app: RunningApp): Promise<void> {
  await page.goto(app.link)
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible()
}

/** A screen by the rail; Chat with a new chat, not the one that was open last. */
export async function goTo(page: Page, screen: ScreenName): Promise<void> {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: screen, exact: true }).click()
  if (screen !== 'Chat') return
  await page.evaluate(`location.hash = '#/chat/new'`)
  // What is typed before it is there would go into the chat of before.
  await expect(page.getByRole('heading', { name: 'Ask anything' })).toBeVisible()
}

export async function chooseLevel(page: Page, level: LevelName): Promise<void> {
  await page.getByRole('button', { name: 'Change who can read this' }).click()
  await page.getByRole('radio', { name: level, exact: true }).click()
  // In a chat that exists the core changes it; Send may still be ready for the level of before.
  await expect(composerAt(page, level).or(page.getByRole('alertdialog'))).toBeVisible()
}

/** The place of the next message, once it is at that level. */
export const composerAt = (page: Page, level: LevelName): Locator =>
  page.locator(`[data-region="composer"][data-level="${levels[level]}"]`)

/** Types a question, waits until it may be sent, and sends it. */
export async function ask(page: Page, question: string): Promise<Locator> {
  await page.getByRole('textbox', { name: 'Message' }).fill(question)
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled({ timeout: readyMs })
  await page.getByRole('textbox', { name: 'Message' }).press('Enter')
  const turn = page.getByRole('article', { name: `Question: ${question.slice(0, 80)}` }).last()
  await expect(turn).toBeVisible()
  return turn
}

export const answerOf = (turn: Locator): Locator => turn.getByTestId('answer')

export async function answered(turn: Locator): Promise<void> {
  await expect(answerOf(turn)).toHaveAttribute('aria-busy', 'false', { timeout: answerMs })
}

/** Lets a free answer get longer than `characters` and stops it: how long it gets, when so small a model turns in circles, is not the question. */
export async function answeredInPart(turn: Locator, characters = 0): Promise<void> {
  // A short answer may end before it is so long.
  await expect
    .poll(async () => (await lengthOf(turn)) > characters || (await answerOf(turn).getAttribute('aria-busy')) === 'false', {
      timeout: answerMs,
    })
    .toBe(true)
  await endAnswer(turn)
}

/** Presses Stop until the answer has ended: it may come to its end meanwhile, and a busy machine is late with a press. */
export async function endAnswer(turn: Locator): Promise<void> {
  const answer = answerOf(turn)
  await expect(async () => {
    if ((await answer.getAttribute('aria-busy')) === 'true')
      await turn.page().getByRole('button', { name: 'Stop' }).click({ timeout: 2_000 })
    await expect(answer).toHaveAttribute('aria-busy', 'false', { timeout: 5_000 })
  }).toPass({ timeout: answerMs })
}

/**
 * Asks, and says which states of the answer's text the page showed while it came. They are noted inside the page, which a look from outside would
 * slow down, and from before the question on: a short answer may be whole before a later watch begins.
 */
export async function askAndWatch(
  page: Page,
  question: string,
  end: (turn: Locator) => Promise<void> = answered,
): Promise<{ turn: Locator; steps: Seen[] }> {
  const seen = await observe(page, `article[aria-label=${JSON.stringify(`Question: ${question}`)}] [data-testid="answer"]`)
  const turn = await ask(page, question)
  await end(turn)
  const states = await seen()
  const steps = states.filter(
    ({ text }, index) => text.trim() !== '' && text !== states[index - 1]?.text && !/^Waiting for the first word/.test(text),
  )
  return { turn, steps }
}

/**
 * Waits for the first words of an answer. Whoever needs it unfinished acts at once: so small a model may end any story after a sentence, and does it
 * within the pauses between common looks.
 */
export async function someText(turn: Locator): Promise<void> {
  await expect.poll(() => lengthOf(turn), { timeout: answerMs, intervals: [20] }).toBeGreaterThan(0)
}

const lengthOf = async (turn: Locator): Promise<number> =>
  (await answerOf(turn).innerText()).replace('Waiting for the first word', '').length

export interface TurnFigures {
  readonly tokensIn: number
  readonly tokensOut: number
  /** Undefined where nothing is paid. */
  readonly adjusted: number | undefined
  readonly costNano: bigint | undefined
}

/** What the foot of an answer says about its use and price. */
export async function figuresOf(turn: Locator): Promise<TurnFigures> {
  const details = (await turn.getByRole('button', { name: /tokens?$/ }).getAttribute('aria-description')) ?? ''
  const count = (word: string): number | undefined => {
    const found = details.match(new RegExp(`([\\d\\u202F]+) ${word}`))?.[1]
    return found === undefined ? undefined : countOf(found)
  }
  const exact = turn.getByTitle(/^Exactly /)
  const cost = (await exact.count()) > 0 ? await exact.getAttribute('title') : null
  return {
    tokensIn: count('in') ?? Number.NaN,
    tokensOut: count('out') ?? Number.NaN,
    adjusted: count('adjusted'),
    costNano: cost === null ? undefined : nanoOf(cost),
  }
}

export type Row = Readonly<Record<string, string>>

/** Rows of a table as they are shown, each cell by the name of its column. */
export async function rowsOf(page: Page, region: string): Promise<Row[]> {
  const table = page.getByLabel(region, { exact: true }).getByRole('table')
  const names = await table.getByRole('columnheader').allInnerTexts()
  const rows: Row[] = []
  for (const row of (await table.getByRole('row').all()).slice(1)) {
    const cells = await row.getByRole('cell').allInnerTexts()
    rows.push(Object.fromEntries(names.map((name, index) => [name.trim(), (cells[index] ?? '').trim()])))
  }
  return rows
}

/** The newest served request, or undefined while there is none. */
export async function newestRequest(page: Page): Promise<Row | undefined> {
  const table = page.getByLabel('Requests', { exact: true }).getByRole('table')
  if ((await table.count()) === 0) return undefined
  const names = await table.getByRole('columnheader').allInnerTexts()
  const row = table.getByRole('row').nth(1)
  const cells = await row.getByRole('cell').allInnerTexts()
  return Object.fromEntries(names.map((name, index) => [name.trim(), (cells[index] ?? '').trim()]))
}

/** The newest served request, once the proxy has signed what it earned. */
export async function pendingRequest(page: Page): Promise<Row> {
  let request: Row | undefined
  await expect
    .poll(async () => {
      request = await newestRequest(page)
      return request?.Money
    })
    .toMatch(/pending/i)
  return request ?? {}
}

/** The exact amount behind the figure that stands beside `label`. */
export async function exactFigure(page: Page, label: string): Promise<bigint> {
  const cell = page.getByText(label, { exact: true }).locator('xpath=..')
  return nanoOf((await cell.getByTitle(/TON$/).first().getAttribute('title')) ?? '')
}

/** Opens Earn's question, reads the fee, confirms, and waits until the newest payout is settled. */
export async function settle(page: Page): Promise<{ amountNano: bigint; feeNano: bigint; payout: Row }> {
  await page.getByRole('button', { name: 'Settle now' }).click()
  const dialog = page.getByRole('alertdialog', { name: 'Settle now?' })
  const value = (name: string): Promise<string> =>
    dialog.getByRole('term').filter({ hasText: name }).locator('xpath=following-sibling::dd[1]').innerText()
  const amountNano = nanoOf(await value('You receive'))
  const feeNano = nanoOf(await value('Fee, from the node wallet'))
  await dialog.getByRole('button', { name: /^Settle / }).click()
  await expect(dialog).toBeHidden()
  await expect.poll(async () => (await rowsOf(page, 'Payouts'))[0]?.State).toBe('Settled')
  const [payout] = await rowsOf(page, 'Payouts')
  if (!payout) throw new Error('There is no payout.')
  return { amountNano, feeNano, payout }
}
