import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import { cpuMs, newDataDir, type RunningApp, startApp } from './support/app.ts'
import { countOf, nanoOf } from './support/money.ts'
import { observe, type Seen } from './support/observed.ts'
import { present } from './support/page-link.ts'
import { keepModels } from './support/provisioned.ts'
import {
  answered,
  answeredInPart,
  answerOf,
  ask,
  askAndWatch,
  chooseLevel,
  computer,
  exactFigure,
  figuresOf,
  goTo,
  newestRequest,
  newWindow,
  openByLink,
  pendingRequest,
  practice,
  readyMs,
  rowsOf,
  settle,
  someText,
  type TurnFigures,
  windowOptions,
} from './support/screens.ts'

/** Values of the local network's root contract. */
const pricePerToken = 200_000n
const workerFee = 150_000n

test.describe.configure({ mode: 'serial' })

interface EarnOnLink {
  readonly requests: ReadonlyArray<{ readonly startedAtMs: number; readonly tookMs?: number }>
}

let app: RunningApp
let window: BrowserContext
let secondWindow: BrowserContext
let chat: Page
let earn: Page
let startedAt: number
/** What both pages showed, with times, while the paid answer came. */
let seen: { request: () => Promise<Seen[]>; answeredAtMs: number }
/** What the paid answer used and cost, as the chat said it. */
let paid: TurnFigures & { readonly adjusted: number; readonly costNano: bigint }

const note = (type: string, description: string): void => {
  test.info().annotations.push({ type, description })
  console.log(`    ${type}: ${description}`)
}

/**
 * A part is seen before the whole. The page is painted once in a few tokens, or where these come quickly a few times in a second; an answer that came in a
 * few pieces whatever its length has fewer states.
 */
const expectWordByWord = (steps: readonly Seen[], tokensOut: number): void => {
  const [first, last] = [steps[0], steps.at(-1)]
  if (first === undefined || last === undefined) throw new Error('No text was seen.')
  expect(first.text.replace(' (busy)', '').length).toBeLessThan(last.text.length)
  expect(steps.length).toBeGreaterThan(Math.min(tokensOut / 20, (last.atMs - first.atMs) / 200))
}

test.afterAll(async () => {
  await window?.close()
  await secondWindow?.close()
  await app?.stop()
})

test('a first start on an empty folder brings its model and gets ready', async ({ browser }) => {
  startedAt = Date.now()
  app = await startApp(newDataDir())
  note('first start, link printed', `${(app.linkAfterMs / 1000).toFixed(1)} s`)
  window = await newWindow(browser)
  chat = await window.newPage()
  await openByLink(chat, app)
  const progress = chat.getByRole('region', { name: 'Start of the app' })
  await expect(progress.getByRole('status')).toContainText(/Starting, \d of 9 ready/)
  await expect(chat.getByText('Local network, test coins')).toBeVisible()
  await expect(progress).toBeHidden({ timeout: readyMs })
  note('first start, everything ready', `${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
  for (const part of ['Model', 'Engine', 'Local chain', 'Contracts and test coins', 'Proxy', 'Worker', 'Client'])
    await app.until(`✓ ${part}`, readyMs)
  keepModels(app.dataDir)
})

test('the link opens the page once', async ({ browser }) => {
  const stranger = await newWindow(browser)
  const page = await stranger.newPage()
  const answer = await page.goto(app.link)
  expect(answer?.status()).toBe(401)
  await expect(page.getByText('This link was used up')).toBeVisible()
  await stranger.close()
})

test('an answer of this computer comes word by word and is free', async () => {
  await goTo(chat, 'Chat')
  await expect(chat.getByRole('button', { name: /^Privacy: On this computer/ })).toBeVisible()
  // So small a model is done with a question after nine tokens now and then, with a long story not.
  const question = 'Tell me a very long story about the sea, with every detail.'
  const { turn, steps } = await askAndWatch(chat, question, (one) => answeredInPart(one, 200))
  expect(steps.at(-1)?.text.length).toBeGreaterThan(10)
  await expect(turn.getByText('Free', { exact: true })).toBeVisible()
  const { tokensIn, tokensOut, costNano } = await figuresOf(turn)
  expect(tokensIn).toBeGreaterThan(5)
  expectWordByWord(steps, tokensOut)
  expect(costNano).toBeUndefined()
  note('answer of this computer', `${tokensOut} tokens, seen in ${steps.length} steps`)
})

test('the same chat goes on over the practice network and says what it cost', async ({ browser }) => {
  await chooseLevel(chat, practice)
  // A window of its own with the same session: a page behind another one is painted once a second only.
  secondWindow = await browser.newContext({ ...windowOptions, storageState: await window.storageState() })
  earn = await secondWindow.newPage()
  await earn.goto(new URL('/#/earn', app.link).href)
  await expect(earn.getByRole('heading', { level: 1 })).toContainText(/waiting for requests/i)
  await expect(earn.getByText('No request yet')).toBeVisible()

  const requests = await observe(earn, '[aria-label="Requests"] tbody tr')
  await chat.bringToFront()
  const question = 'Describe two colours, in a paragraph each, and say why people like them.'
  const { turn, steps } = await askAndWatch(chat, question)
  seen = { request: requests, answeredAtMs: steps.find(({ text }) => !text.endsWith('(busy)'))?.atMs ?? Number.NaN }
  const figures = await figuresOf(turn)
  expectWordByWord(steps, figures.tokensOut)
  const { adjusted, costNano } = figures
  if (adjusted === undefined || costNano === undefined) throw new Error('The answer does not say what it cost.')
  paid = { ...figures, adjusted, costNano }
  expect(adjusted).toBeGreaterThan(0)
  expect(costNano).toBe(BigInt(adjusted) * pricePerToken)
  await expect(chat.getByText(/Nothing leaves this computer/).first()).toBeVisible()
  note(
    'paid answer',
    `${figures.tokensIn} in, ${figures.tokensOut} out, ${adjusted} adjusted, ${costNano} nano, ${steps.length} steps`,
  )
})

test('Earn shows that request at once, then signed by the proxy', async () => {
  const request = await pendingRequest(earn)
  const rows = await seen.request()
  // Both by the clock of this computer: the worker's own note of its end, and what the page drew.
  const served = (await present<EarnOnLink>(earn, 'earn.state')).requests[0]
  const endedAtMs = (served?.startedAtMs ?? Number.NaN) + (served?.tookMs ?? Number.NaN)
  const shownAs = (words: RegExp): number => (rows.find(({ text }) => words.test(text))?.atMs ?? Number.NaN) - endedAtMs
  note(
    "in Earn after the worker's end",
    `counted or pending after ${shownAs(/counted|pending/i)} ms, pending after ${shownAs(/pending/i)} ms; the answer was whole on the page after ${seen.answeredAtMs - endedAtMs} ms`,
  )
  note('states in Earn', rows.map(({ atMs, text }) => `${atMs - endedAtMs} ms ${text.replace(/\s+/g, ' ')}`).join('; '))
  // How late this machine is now with what it shows, the answer itself tells.
  const lateMs = 2 * (seen.answeredAtMs - endedAtMs)
  expect(shownAs(/counted|pending/i)).toBeLessThan(1_000 + lateMs)
  expect(shownAs(/pending/i)).toBeLessThan(3_000 + lateMs)
  expect(request.Result).toBe('Answered')
  expect(countOf(request['Tokens in'] ?? '')).toBe(paid.tokensIn)
  expect(countOf(request['Tokens out'] ?? '')).toBe(paid.tokensOut)
  expect(nanoOf(request['Earned, TON'] ?? '')).toBe(BigInt(paid.adjusted) * workerFee)
  const adjusted = earn.getByLabel('Requests', { exact: true }).getByTitle(/adjusted$/)
  expect(countOf((await adjusted.first().getAttribute('title'))?.replace(' adjusted', '') ?? '')).toBe(paid.adjusted)
})

test('Settle now pays exactly that amount to the owner', async () => {
  const wallet = await secondWindow.newPage()
  await wallet.goto(new URL('/#/wallet', app.link).href)
  const before = await exactFigure(wallet, 'You can spend')
  const nodeBefore = await exactFigure(wallet, 'Node wallet')
  const expected = BigInt(paid.adjusted) * workerFee

  const { amountNano, feeNano, payout } = await settle(earn)
  expect(amountNano).toBe(expected)
  expect(feeNano).toBeGreaterThan(0n)
  expect(nanoOf(payout['Expected, TON'] ?? '')).toBe(expected)
  expect(nanoOf(payout['Owner received, TON'] ?? '')).toBe(expected)
  expect(countOf(payout['Adjusted tokens'] ?? '')).toBe(paid.adjusted)
  const nodeChange = nanoOf(payout['Node wallet, TON'] ?? '')
  await expect.poll(async () => (await newestRequest(earn))?.Money).toMatch(/settled/i)
  await expect(earn.getByText('Nothing to settle now.')).toBeVisible()
  // All of it is settled: the bar is full, without a gap at its end.
  const ends = await earn.evaluate<number[]>(`
    (() => {
      const bar = document.querySelector('[data-testid="settled"]').closest('.figure-cell').querySelector('.bar')
      return [bar, ...bar.children].map((one) => Math.round(one.getBoundingClientRect().right))
    })()`)
  expect(ends).toEqual([ends[0], ends[0]])

  await expect.poll(async () => (await rowsOf(wallet, 'Activity'))[0]?.What).toContain('Payout')
  const [newest] = await rowsOf(wallet, 'Activity')
  expect(nanoOf(newest?.Amount ?? '')).toBe(expected)
  // Every message that a wallet receives costs it a little gas of its own; the same row says how much.
  const ownFee = nanoOf(newest?.Fee ?? '')
  await expect.poll(() => exactFigure(wallet, 'You can spend')).toBe(before + expected - ownFee)
  await expect.poll(() => exactFigure(wallet, 'Node wallet')).toBe(nodeBefore + nodeChange)
  note(
    'from usage to payout',
    `${paid.adjusted} adjusted tokens: client pays ${paid.costNano} nano, worker earns ${expected}, owner received ${nanoOf(payout['Owner received, TON'] ?? '')}, node wallet ${nodeChange} (shown before: about ${feeNano}), owner ${before} -> ${before + expected - ownFee} after ${ownFee} for receiving it`,
  )
  await wallet.close()
})

for (const way of ['the Stop button', 'Esc'] as const) {
  test(`${way} ends a running answer of the practice network`, async () => {
    const turn = await ask(chat, `Write a very long story about a lighthouse keeper, with every detail. (${way})`)
    await someText(turn)
    const [engine] = app.children('engine-process')
    if (!engine) throw new Error('There is no engine process.')
    const pressedAt = Date.now()
    if (way === 'Esc') await chat.keyboard.press('Escape')
    else await chat.getByRole('button', { name: 'Stop' }).click()
    await answered(turn)
    note('stop shown', `${Date.now() - pressedAt} ms after it was pressed`)
    const stopped = turn.getByText(/^Stopped\. You pay for \d+ tokens?\.$/)
    await expect(stopped).toBeVisible()
    const told = Number((await stopped.innerText()).match(/\d+/)?.[0])
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThan(500)

    // Generation itself has ended: the engine rests.
    await chat.waitForTimeout(500)
    const cpuBefore = cpuMs(engine)
    await chat.waitForTimeout(1_500)
    expect(cpuMs(engine) - cpuBefore).toBeLessThan(400)

    const request = await pendingRequest(earn)
    expect(request.Result).toBe('Cancelled by client')
    const figures = await figuresOf(turn)
    expect(countOf(request['Tokens out'] ?? '')).toBe(told)
    expect(figures.costNano).toBe(BigInt(figures.adjusted ?? -1) * pricePerToken)
    expect(nanoOf(request['Earned, TON'] ?? '')).toBe(BigInt(figures.adjusted ?? -1) * workerFee)
  })
}

test('the next question after a stop is answered, on either way', async () => {
  const turn = await ask(chat, 'Say hello in one short sentence.')
  await answered(turn)
  await expect(answerOf(turn)).not.toBeEmpty()
  expect((await figuresOf(turn)).costNano).toBeGreaterThan(0n)
  await chooseLevel(chat, computer)
  // Here an answer may be as long as the context; how long this one gets is not the question.
  const free = await ask(chat, 'Say goodbye in one short sentence.')
  await someText(free)
  await chat.keyboard.press('Escape')
  await answered(free)
  await expect(answerOf(free)).not.toBeEmpty()
  await expect(free.getByText('Free', { exact: true })).toBeVisible()
})
