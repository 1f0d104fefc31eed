import { copyFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type Browser, type BrowserContext, expect, type Page, test } from '@playwright/test'
import { newDataDir, type RunningApp, type startApp, startRefused } from './support/app.ts'
import { nanoOf } from './support/money.ts'
import { follow, present, sendRaw } from './support/page-link.ts'
import { dataDirWithModel, provisionedModel } from './support/provisioned.ts'
import {
  answered,
  answeredInPart,
  answerOf,
  ask,
  chooseLevel,
  figuresOf,
  goTo,
  newestRequest,
  openApp,
  pendingRequest,
  practice,
  readyMs,
  settle,
  someText,
} from './support/screens.ts'

const longQuestion = 'Write a very long story about a lighthouse keeper, with every detail.'

interface WalletOnLink {
  readonly chat?: { readonly used: string }
}
interface NetworkOnLink {
  readonly proxies: ReadonlyArray<{ readonly state: string; readonly workers: number }>
}

/** Nothing outside this computer can be reached. Port 9 is closed everywhere; the local chain stays reachable. */
const offline = {
  HTTP_PROXY: 'http://127.0.0.1:9',
  HTTPS_PROXY: 'http://127.0.0.1:9',
  ALL_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1,localhost',
  NODE_USE_ENV_PROXY: '1',
  PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
  PIP_EXTRA_INDEX_URL: '',
  PIP_CONFIG_FILE: '/dev/null',
}

let app: RunningApp
let window: BrowserContext
let page: Page

async function begin(browser: Browser, dataDir: string, options: Parameters<typeof startApp>[1] = {}): Promise<void> {
  ;({ app, window, page } = await openApp(browser, dataDir, options))
}

/** Also one that has just ended by itself. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone.
  }
}

async function end(): Promise<void> {
  await window?.close()
  await app?.stop()
}

/** By the words of the terminal: before the page has heard anything, it shows no start either. */
async function ready(): Promise<void> {
  for (const part of ['Engine', 'Worker', 'Client']) await app.until(`✓ ${part}`, readyMs)
  await expect(page.getByRole('region', { name: 'Start of the app' })).toBeHidden()
}

/** Waits until one process stands in the place of a killed one, which may still be listed for a moment. */
async function anotherOf(script: string, killed: number): Promise<void> {
  await expect.poll(() => app.children(script).map((pid) => pid === killed)).toEqual([false])
}

/** A new chat over the practice network. */
async function toPractice(): Promise<void> {
  await goTo(page, 'Chat')
  await chooseLevel(page, practice)
}

const row = (name: string | RegExp) => page.getByRole('row', { name })

async function addFile(path: string): Promise<void> {
  await goTo(page, 'Models')
  await page.getByRole('button', { name: 'Add a GGUF file' }).first().click()
  await page.getByRole('textbox', { name: 'Full path of the file' }).fill(path)
  await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click()
}

test.describe('while the app runs', () => {
  let taken: Server
  let takenPort: number

  test.beforeAll(async ({ browser }) => {
    taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    if (address === null || typeof address === 'string') throw new Error('The test server has no port.')
    takenPort = address.port
    await begin(browser, await dataDirWithModel(), { port: takenPort })
    await ready()
    await chooseLevel(page, practice)
    await answered(await ask(page, 'Say good morning in one short sentence.'))
  })

  test.afterAll(async () => {
    await end()
    taken.close()
  })

  test('a taken port: another one is chosen and printed', () => {
    const port = new URL(app.link).port
    expect(Number(port)).not.toBe(takenPort)
    expect(app.output()).toContain(`Port ${takenPort} is taken; using ${port}.`)
  })

  test('a second app on the same data folder is refused with a sentence', async () => {
    const { code, output } = await startRefused(app.dataDir)
    expect(code).not.toBe(0)
    expect(code).not.toBeNull()
    expect(output).toContain('Cocoon is already running with this data folder')
    expect(output).not.toMatch(/\n\s+at /)
    await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible()
  })

  test('the engine killed while answering: nothing is paid, and the same question is answered after its restart', async () => {
    const network = await follow<NetworkOnLink>(page, 'network.state')
    await toPractice()
    const usedBefore = (await present<WalletOnLink>(page, 'wallet.state')).chat?.used
    expect(usedBefore).toBeDefined()
    const turn = await ask(page, longQuestion)
    await someText(turn)
    const [engine] = app.children('engine-process')
    if (!engine) throw new Error('There is no engine process.')
    process.kill(engine, 'SIGKILL')

    const failure = turn.getByRole('region', { name: 'The answer failed' })
    await expect(failure).toBeVisible()
    await expect(failure).toContainText('You paid nothing.')
    await anotherOf('engine-process', engine)
    // Longer than the proxy needs to tell the client what was used.
    await page.waitForTimeout(2_500)
    expect((await present<WalletOnLink>(page, 'wallet.state')).chat?.used).toBe(usedBefore)
    await goTo(page, 'Earn')
    await expect.poll(async () => (await newestRequest(page))?.Result).toBe('Failed')
    await goTo(page, 'Network')
    await expect(page.getByRole('listitem').filter({ hasText: 'Model loaded, done' })).toBeVisible()
    await page.goBack()
    await page.goBack()

    await page.getByRole('button', { name: 'Try again' }).click()
    await expect(failure).toBeHidden()
    await answeredInPart(turn)
    expect((await figuresOf(turn)).costNano).toBeGreaterThan(0n)

    const states = await network()
    expect(states.length).toBeGreaterThan(0)
    for (const { proxies } of states) expect(proxies).toMatchObject([{ state: 'connected', workers: 1 }])
  })

  test('an engine killed each time that it loads the model: the app says so, and it comes back by the button', async () => {
    const killing = setInterval(() => {
      for (const pid of app.children('engine-process')) if (pid > 1) kill(pid)
    }, 100)
    try {
      await goTo(page, 'Models')
      await expect(page.getByRole('row').filter({ hasText: 'Stopped' })).toContainText('The app tries again at')
    } finally {
      clearInterval(killing)
    }
    await expect(page.getByRole('row').filter({ hasText: 'Stopped' }).getByRole('button', { name: 'Load again' })).toBeVisible()
    await goTo(page, 'Earn')
    await expect(page.getByRole('heading', { name: 'The engine stopped' })).toBeVisible()
    await expect(page.getByRole('button', { name: 'Load again' })).toBeVisible()
    await goTo(page, 'Chat')
    const notice = page.getByRole('status').filter({ has: page.getByRole('button', { name: 'Load again' }) })
    await expect(notice).toContainText('each time that it loaded the model')
    await notice.getByRole('button', { name: 'Load again' }).click()
    await expect(notice).toBeHidden()
    await goTo(page, 'Network')
    await expect(page.getByRole('listitem').filter({ hasText: 'Model loaded, done' })).toBeVisible()
    await page.goBack()
  })

  test('the chain process killed: it starts again, and a payout still settles', async () => {
    const [chain] = app.children('chain-process')
    if (!chain) throw new Error('There is no chain process.')
    process.kill(chain, 'SIGKILL')
    await anotherOf('chain-process', chain)
    await toPractice()
    const turn = await ask(page, 'Say hello in one short sentence.')
    await answered(turn)
    const { adjusted } = await figuresOf(turn)
    await goTo(page, 'Earn')
    const request = await pendingRequest(page)
    expect(nanoOf(request['Earned, TON'] ?? '')).toBe(BigInt(adjusted ?? -1) * 150_000n)
    const { amountNano, payout } = await settle(page)
    expect(amountNano).toBeGreaterThan(0n)
    expect(nanoOf(payout['Owner received, TON'] ?? '')).toBe(amountNano)
  })

  test('malformed frames of a page get typed errors or end that link only', async () => {
    const call = (name: unknown, input: unknown): string => JSON.stringify({ t: 'call', n: 7, name, input })
    const refusals = [
      [call('chat.format', {}), 'unknown-name'],
      [call('__proto__', {}), 'unknown-name'],
      [call('chat.send', { id: '../../etc/passwd', text: 'x' }), 'malformed'],
      [call('chat.send', { id: 'a', text: 5 }), 'malformed'],
      [call('settings.set', { theme: 'pink' }), 'malformed'],
      [call('chat.rename', { id: 'nosuchchat', title: 'x' }), 'not-found'],
      [JSON.stringify({ t: 'call', n: 7, name: 5 }), 'malformed'],
      [JSON.stringify({ t: 'steal', n: 7 }), 'malformed'],
      [JSON.stringify({ t: 'subscribe', n: 7, name: 'chat.conversation', input: null }), 'malformed'],
    ] as const
    for (const [frame, code] of refusals) {
      const reply = await sendRaw(page, frame)
      expect(reply, frame).toMatchObject({ messages: [{ t: 'error', n: 7, error: { code } }], closed: null })
    }
    for (const [frame, code] of [
      ['no json', 1007],
      ['[]', 1008],
      [{ binary: 32 }, 1003],
      [{ characters: 2 ** 20 + 1 }, 1009],
    ] as const)
      expect(await sendRaw(page, frame), JSON.stringify(frame)).toEqual({ messages: [], closed: code })

    await goTo(page, 'Chat')
    const turn = await ask(page, 'Say thank you in one short sentence.')
    await answeredInPart(turn)
    await expect(answerOf(turn)).not.toBeEmpty()
  })

  test('a file that is no model is refused with a sentence', async () => {
    const path = join(app.dataDir, 'holiday.gguf')
    writeFileSync(path, 'This is a text about a holiday. '.repeat(2_000))
    await addFile(path)
    const dialog = page.getByRole('dialog')
    await expect(dialog.getByRole('alert')).toContainText(/GGUF/)
    await page.keyboard.press('Escape')
    await addFile(join(app.dataDir, 'nothing-here.gguf'))
    await expect(dialog.getByRole('alert')).toContainText(/Check that it exists/)
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await expect(row(/holiday/)).toHaveCount(0)
    expect(app.process.exitCode).toBeNull()
  })
})

test.describe('a damaged model file', () => {
  test.describe.configure({ mode: 'serial' })
  let dataDir: string
  let modelPath: string
  let size: number

  test.afterAll(end)

  test('a cut file is told plainly and offered again; the app lives', async ({ browser }) => {
    dataDir = await dataDirWithModel()
    modelPath = join(dataDir, 'models', (await provisionedModel()).split('/').at(-1) ?? '')
    size = statSync(modelPath).size
    // The first start gets to know the file.
    await begin(browser, dataDir)
    await ready()
    await end()
    truncateSync(modelPath, Math.floor(size / 2))

    await begin(browser, dataDir, { env: offline })
    await goTo(page, 'Models')
    const model = row(/^SmolLM2 135M Instruct Broken/)
    await expect(model.getByRole('button', { name: 'Download again' })).toBeVisible()
    await expect(model).toContainText('Broken')
    await expect(page.getByText(/cut off|damaged|incomplete/i).first()).toBeVisible()
    await goTo(page, 'Wallet')
    await expect(page.getByText('You can spend')).toBeVisible()
    await end()
  })

  test('a download repairs it', async ({ browser }) => {
    await begin(browser, dataDir)
    await ready()
    expect(statSync(modelPath).size).toBe(size)
    await goTo(page, 'Chat')
    const turn = await ask(page, 'Say hello in one short sentence.')
    await answeredInPart(turn)
    await expect(answerOf(turn)).not.toBeEmpty()
  })
})

test.describe('without any source of models', () => {
  test.describe.configure({ mode: 'serial' })
  test.afterAll(end)

  test('the app starts, says what is missing and how to add a file', async ({ browser }) => {
    await begin(browser, newDataDir(), { env: offline })
    await app.until(/✗ Model: .*could not be downloaded/, readyMs)
    await expect(page.getByText('No model is on this computer')).toBeVisible()
    await expect(page.getByRole('button', { name: 'Send' })).toBeDisabled()
    await goTo(page, 'Models')
    await expect(page.getByText(/could not be downloaded/).first()).toBeVisible()
    // The way out is told once, and is at hand.
    await expect(page.getByRole('cell').getByText(/a GGUF file of a chat model|a model file that you have/)).toHaveCount(1)
    await expect(page.getByRole('cell').getByRole('button', { name: 'Add a GGUF file' })).toHaveCount(1)
    await goTo(page, 'Wallet')
    await expect(page.getByText('You can spend')).toBeVisible()
  })

  test('a model added by hand makes chat work, on both ways', async () => {
    const path = join(app.dataDir, 'my-own-model.gguf')
    copyFileSync(await provisionedModel(), path)
    await addFile(path)
    await expect(page.getByRole('dialog')).toBeHidden()
    await expect(row(/my-own-model/)).toContainText('In use')
    await goTo(page, 'Chat')
    const turn = await ask(page, 'Say hello in one short sentence.')
    await answeredInPart(turn)
    await expect(answerOf(turn)).not.toBeEmpty()
    await chooseLevel(page, practice)
    const paid = await ask(page, 'Say thank you in one short sentence.')
    await answered(paid)
    expect((await figuresOf(paid)).costNano).toBeGreaterThan(0n)
  })
})
