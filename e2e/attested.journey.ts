import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserContext, expect, type Locator, type Page, test } from '@playwright/test'
import { type RunningApp, runCommand, startApp } from './support/app.ts'
import { clearToAll, smallViews } from './support/axe.ts'
import { freePorts } from './support/ports.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import { answeredInPart, answerOf, ask, chooseLevel, figuresOf, goTo, newWindow, openByLink, readyMs } from './support/screens.ts'
import { type SealedMachines, startMachines } from './support/sealed-machines.ts'

/**
 * The level Attested network, as a person meets it. No confidential machine is at hand: Intel's root key and what the machines' kernels say are the test's,
 * handed to the app's own parts by programs that are in no build (support/attested). What ships takes no other root key, which is seen at the end.
 */
const pricePerToken = 120_000n
const pictures = join(import.meta.dirname, '..', 'test-results', 'attested')
const composed = join(import.meta.dirname, 'support', 'attested', 'cli.ts')
const kept = 'Name a colour and say why people like it.'
const unsent = 'And a fruit?'

test.describe.configure({ mode: 'serial' })

let machines: SealedMachines | undefined
let app: RunningApp | undefined
let window: BrowserContext | undefined
let page: Page
let dataDir: string
let file: string
let owner: string
let ports: [number, number]
let workerStats: string

test.afterAll(async () => {
  await window?.close()
  // Their chain ends with the app.
  await machines?.stop()
  await app?.stop()
})

const facts = () => {
  if (machines === undefined) throw new Error('There are no machines.')
  return machines.facts
}
/** How the app of this journey is started: as the command line starts it, with another root key. */
const entry = (): string[] => [composed, facts().root]
const seal = (): Locator => page.getByRole('button', { name: /^Privacy: / })
const sheet = (): Locator => page.getByRole('dialog', { name: 'Attested network' })
const row = (statement: string): Locator => sheet().getByRole('listitem').filter({ hasText: statement })
const questions = (): Locator => page.getByRole('article', { name: /^Question: / })
const message = (): Locator => page.getByRole('textbox', { name: 'Message' })
const send = (): Locator => page.getByRole('button', { name: 'Send' })

/** Questions that the worker has seen, by its own count. */
async function served(): Promise<number> {
  const { stats } = (await (await fetch(workerStats)).json()) as { stats: { queries: number[] } }
  return stats.queries[0] ?? Number.NaN
}

async function openApp(options: Parameters<typeof startApp>[1]): Promise<void> {
  app = await startApp(dataDir, options)
  await openByLink(page, app)
}

test('an operator deploys a network that demands attestation', async ({ browser }) => {
  mkdirSync(pictures, { recursive: true })
  dataDir = await dataDirWithModel()
  file = join(dataDir, 'sealed.json')
  machines = await startMachines(await dataDirWithModel())
  ;({ owner } = await machines.order('fund', { appDir: dataDir }))
  ports = await freePorts()
  const { images, model } = machines.facts
  const description = join(dataDir, 'deploy.json')
  const terms = { name: 'Sealed', price: '120000 nano', workerFee: '50000 nano', isTest: false }
  const lists = { proxyHashes: [images.proxy], workerHashes: [images.worker], models: [model] }
  writeFileSync(description, JSON.stringify({ ...terms, ...lists, proxies: [`127.0.0.1:${ports[0]} 127.0.0.1:${ports[1]}`] }))
  const where = ['--on', 'local', '--data-dir', dataDir, '--out', file]
  const deployed = await runCommand(['network', 'deploy', '--config', description, ...where, '--yes'])
  expect(deployed.code, deployed.output).toBe(0)
  expect(deployed.output).toMatch(/Attestation +required of proxies and workers/)
  window = await newWindow(browser)
  page = await window.newPage()
  await page.setViewportSize({ width: 960, height: 640 })
})

test('before anything is verified nothing looks verified, and nothing is sent', async () => {
  await openApp({ entry: entry(), args: ['--network', file, '--pccs', facts().pccs] })
  await expect(page.getByText('Sealed, Local network, test coins')).toBeVisible()
  await chooseLevel(page, 'Attested network')
  // The network lists a proxy, and nobody is there yet.
  await expect(seal()).toHaveAccessibleName(/^Privacy: Attested network\. No connection to 127\.0\.0\.1:\d+ Open details$/)
  await expect(page.locator('.seal-row')).toHaveClass(/tone-checking/)
  await message().fill(kept)
  await expect(send()).toBeDisabled()
  await message().press('Enter')
  await expect(questions()).toHaveCount(0)
  await expect(message()).toHaveValue(kept)
  await seal().click()
  await expect(sheet().getByText('This level is not ready. Nothing is sent until it is.')).toBeVisible()
  await expect(sheet().getByText('Nothing was checked yet.')).toBeVisible()
  await expect(sheet().getByText(/sealed/i)).toHaveCount(0)
  await expect(sheet().getByText(/Checked/)).toHaveCount(0)
  await clearToAll(page, pictures, 'sheet-before', smallViews)
  await page.keyboard.press('Escape')
})

test('it is earned once proxy and worker have proven what they run, and answers for money', async () => {
  if (machines === undefined) throw new Error('There are no machines.')
  await machines.order('collateral', { given: true })
  ;({ workerStats } = await machines.order('serve', { appDir: dataDir, network: file, owner, ports }))
  const earned = /^Privacy: Attested network\. Only you can read this\. Verified (just now|\d+ seconds? ago)\. Open details$/
  await expect(seal()).toHaveAccessibleName(earned)
  await expect(page.locator('.seal-row')).toHaveClass(/tone-earned/)
  // What was written before is still there.
  await expect(message()).toHaveValue(kept)
  const turn = await ask(page, kept)
  await answeredInPart(turn, 40)
  await expect(answerOf(turn)).toContainText(/\w/)
  await expect(turn.getByText('Attested network')).toBeVisible()
  // The thread of the level: solid, with a ring where the turn begins.
  const ring = `getComputedStyle(document.querySelector('article > .thread'), '::after')`
  expect(await page.evaluate(`[${ring}.content, ${ring}.borderTopStyle, ${ring}.borderTopLeftRadius]`)).toEqual([
    '""',
    'solid',
    '50%',
  ])
  const { adjusted, costNano } = await figuresOf(turn)
  if (adjusted === undefined || costNano === undefined) throw new Error('The answer does not say what it cost.')
  expect(adjusted).toBeGreaterThan(0)
  expect(costNano).toBe(BigInt(adjusted) * pricePerToken)
  expect(await served()).toBe(1)
  console.log(`    Attested network: ${adjusted} adjusted tokens for ${costNano} nano`)
  await clearToAll(page, pictures, 'chat', smallViews)
  await page.getByRole('button', { name: 'Change who can read this' }).click()
  await expect(page.getByRole('radio', { name: 'Attested network', exact: true })).toBeChecked()
  await clearToAll(page, pictures, 'switcher', smallViews)
  await page.keyboard.press('Escape')
})

test('the sheet says what was checked, and by whom', async () => {
  await seal().click()
  const summary =
    'Only you can read this conversation. It is answered inside two sealed machines that neither their owners nor Cocoon can look into.'
  await expect(sheet().getByText(summary, { exact: true })).toBeVisible()
  const said: readonly [string, string, RegExp][] = [
    ['Sealed hardware', 'Checked here', /run in Intel TDX: their quotes hold up to the root key/],
    ['Published software', 'Checked here', /The network contract lists what proxy and worker run.*no block proof was checked/],
    [
      'The way to the proxy is encrypted',
      'Checked here',
      /TLS 1\.3 to the key below, which the attestation of the proxy was made for/,
    ],
    ['The worker alone opens it', 'Checked here', /a key that the worker’s attestation is bound to; the proxy cannot read them/],
    ['The exact model', 'Checked by the sealed worker', /says the attested software of the worker/],
    ['The graphics card in confidential mode', 'Checked by the sealed worker', /There is none in the machine/],
  ]
  await expect(sheet().getByRole('listitem')).toHaveCount(said.length)
  for (const [statement, by, sentence] of said) {
    await expect(row(statement)).toContainText(by)
    await expect(row(statement)).toContainText(sentence)
  }
  const cannot = 'You trust Intel and NVIDIA hardware, and the list of approved images, today kept by the COCOON team.'
  await expect(sheet().getByText(`${cannot} The proxy’s owner still sees when you write and how much.`)).toBeVisible()
  const value = (name: string): Locator =>
    sheet().getByRole('term').filter({ hasText: name }).first().locator('xpath=following-sibling::dd[1]')
  const { images, root, model } = facts()
  await expect(value('Image of the proxy')).toHaveAttribute('title', images.proxy)
  await expect(value('Image of the worker')).toHaveAttribute('title', images.worker)
  await expect(value('Root key of the proxy’s quote')).toHaveAttribute('title', root)
  await expect(value('Root key of the worker’s quote')).toHaveAttribute('title', root)
  await expect(value('Model of worker 1')).toHaveAttribute('title', model)
  await expect(value('Price')).toHaveText('0.00012 TON per adjusted token, test coins')
  await clearToAll(page, pictures, 'sheet', smallViews)
})

test('saved evidence is proven up to its root key, and what ships says that it is not Intel’s', async () => {
  const button = sheet().getByRole('button', { name: 'Save as JSON' })
  const [download] = await Promise.all([page.waitForEvent('download'), button.click()])
  const path = join(dataDir, 'evidence.json')
  await download.saveAs(path)
  expect(readFileSync(path, 'utf8')).not.toContain(kept)
  const proven = await runCommand(['verify', path], entry())
  expect(proven.code, proven.output).toBe(0)
  expect(proven.output.match(/^PROVEN: a TDX quote that was good at .*$/gm)).toHaveLength(2)
  expect(proven.output).toContain(`up to the root key ${facts().root}.`)
  const shipped = await runCommand(['verify', path])
  expect(shipped).toEqual({
    code: 1,
    output: 'NOT PROVEN (root-not-trusted): The attestation does not lead to Intel’s root key\n',
  })
  await page.keyboard.press('Escape')
})

test('this computer is no worker there, does not try to be one, and says why', async () => {
  const chat = page.url()
  await goTo(page, 'Earn')
  await expect(page.getByRole('heading', { name: 'Earning stopped' })).toBeVisible()
  await expect(
    page.getByText('This network takes only workers that prove what they run, which this computer cannot.'),
  ).toBeVisible()
  // The start has come to its end all the same.
  await expect(page.getByText(/^Starting, /)).toHaveCount(0)
  expect(readFileSync(join(dataDir, 'logs', 'core.log'), 'utf8')).not.toMatch(/ worker: /)
  await clearToAll(page, pictures, 'earn', smallViews)
  await page.evaluate(`location.href = ${JSON.stringify(chat)}`)
  await expect(questions()).toHaveCount(1)
})

test('when the owner takes the worker’s image out of the contract, the level falls, nothing is sent, and the words say why', async () => {
  await message().fill(unsent)
  await expect(send()).toBeEnabled()
  const { images } = facts()
  // A proxy that hears of it lets the worker go, and the level then waits for another one: how soon is not the question.
  await machines?.order('chain', { given: false })
  const removed = await runCommand([
    'network',
    'remove-hash',
    file,
    images.worker,
    '--kind',
    'worker',
    '--data-dir',
    dataDir,
    '--yes',
  ])
  expect(removed.code, removed.output).toBe(0)
  // By itself, with its next reading of the contract: nobody has asked anything. The worker's key was told a moment ago and is judged anew, or is told anew and not taken.
  const why = /The network contract does not list (the software of this worker \([0-9a-f]{64}\)|what the worker runs)\./
  await expect(seal()).toHaveAccessibleName(/^Privacy: Not verified\. The check failed\. Nothing was sent\. /, {
    timeout: readyMs,
  })
  await expect(seal()).toHaveAccessibleName(why)
  await expect(page.locator('.seal-row')).toHaveClass(/tone-failed/)
  await expect(send()).toBeDisabled()
  await message().press('Enter')
  await expect(message()).toHaveValue(unsent)
  // It stays where it was, and no wider level is offered as the remedy.
  await expect(page.getByRole('alertdialog')).toHaveCount(0)
  const note = page.getByRole('alert').filter({ hasText: why })
  expect(await note.getByRole('button').allInnerTexts()).toEqual(['Check again', 'Use this computer', 'See why'])
  await clearToAll(page, pictures, 'chat-fallen', smallViews)
  await note.getByRole('button', { name: 'See why' }).click()
  await expect(sheet().getByText(/^The check failed\. Nothing was sent\. /)).toContainText(why)
  const failures = sheet().getByRole('listitem').filter({ hasText: 'Failed' })
  await expect(failures).toHaveCount(1)
  await expect(failures).toContainText(/Published software|The worker alone opens it/)
  await expect(failures).toContainText(why)
  await clearToAll(page, pictures, 'sheet-fallen', smallViews)
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Change who can read this' }).click()
  await expect(page.getByRole('radio', { name: 'Attested network', exact: true })).toBeChecked()
  await page.keyboard.press('Escape')
  await expect(questions()).toHaveCount(1)
  expect(await served()).toBe(1)
  await machines?.order('chain', { given: true })
})

test('the app as it ships takes Intel’s root key alone', async () => {
  await app?.stop()
  // The same folder, network, service and machines as before.
  await openApp({ args: ['--network', file, '--pccs', facts().pccs] })
  await page.evaluate(`location.hash = '#/chat/new'`)
  await chooseLevel(page, 'Attested network')
  await expect(seal()).toHaveAccessibleName(
    'Privacy: Attested network. The attestation does not lead to Intel’s root key Open details',
  )
  await expect(page.locator('.seal-row')).toHaveClass(/tone-checking/)
  await message().fill(unsent)
  await expect(send()).toBeDisabled()
  await message().press('Enter')
  await expect(questions()).toHaveCount(0)
  expect(await served()).toBe(1)
})
