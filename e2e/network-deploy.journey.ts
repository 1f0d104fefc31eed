import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserContext, expect, type Locator, type Page, test } from '@playwright/test'
import { type RunningApp, runCommand, startApp } from './support/app.ts'
import { clearToAll, smallViews } from './support/axe.ts'
import { nanoOf } from './support/money.ts'
import { type PassingEndpoint, passingEndpoint } from './support/passing-endpoint.ts'
import { freePorts } from './support/ports.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import {
  answered,
  answeredInPart,
  ask,
  chooseLevel,
  exactFigure,
  figuresOf,
  goTo,
  newestRequest,
  openApp,
  openByLink,
  pendingRequest,
  practice,
  readyMs,
  settle,
  windowOptions,
} from './support/screens.ts'

/** Terms of a network of our own, unlike those of the local network that the app makes for itself. */
const pricePerToken = 120_000n
const workerFee = 50_000n
/** What they become while the app runs. */
const newPrice = 150_000n
const newFee = 60_000n
const openQuestion = 'Say hello.'

const pictures = join(import.meta.dirname, '..', 'test-results', 'open-network')

test.describe.configure({ mode: 'serial' })

let app: RunningApp | undefined
let window: BrowserContext | undefined
let page: Page
let dataDir: string
let file: string
let passing: PassingEndpoint | undefined

test.afterAll(async () => {
  await window?.close()
  await app?.stop()
  passing?.close()
})

test('an operator deploys a network on the local chain with terms of its own', async () => {
  dataDir = await dataDirWithModel()
  file = join(dataDir, 'second.json')
  const [workers, clients] = await freePorts()
  const terms = ['--name', 'Second', '--price', '120000 nano', '--worker-fee', '50000 nano', '--multipliers', '1,0.1,4,4']
  const proxy = ['--proxy', `127.0.0.1:${workers} 127.0.0.1:${clients}`]
  const deployed = await runCommand([
    'network',
    'deploy',
    '--on',
    'local',
    '--data-dir',
    dataDir,
    '--out',
    file,
    '--yes',
    ...terms,
    ...proxy,
  ])
  expect(deployed.code, deployed.output).toBe(0)
  expect(deployed.output).toContain('On chain as planned')
})

test('the app serves a paid request on it, at its price, and settles', async ({ browser }) => {
  ;({ app, window, page } = await openApp(browser, dataDir, { args: ['--network', file] }))
  await expect(page.getByText('Second, Local network, test coins')).toBeVisible()
  const { adjusted, costNano, amountNano, payout } = await askAndSettle('Name a colour and say why people like it.', {
    pricePerToken,
    workerFee,
  })
  expect(nanoOf(payout['Owner received, TON'] ?? '')).toBe(BigInt(adjusted) * workerFee)
  await expect.poll(async () => (await newestRequest(page))?.Money).toMatch(/settled/i)
  console.log(`    ${adjusted} adjusted tokens: the client paid ${costNano} nano, the worker's owner received ${amountNano}`)
  await goTo(page, 'Network')
  expect(await rootValue(page, 'Price per adjusted token')).toBe(pricePerToken)
})

/** Asks over the network and settles: the answer costs, and its worker gets, what these terms say. */
async function askAndSettle(question: string, terms: { readonly pricePerToken: bigint; readonly workerFee: bigint }) {
  await chooseLevel(page, practice)
  const turn = await ask(page, question)
  await answered(turn)
  const { adjusted, costNano } = await figuresOf(turn)
  if (adjusted === undefined || costNano === undefined) throw new Error('The answer does not say what it cost.')
  expect(adjusted).toBeGreaterThan(0)
  expect(costNano).toBe(BigInt(adjusted) * terms.pricePerToken)
  await goTo(page, 'Earn')
  await pendingRequest(page)
  const { amountNano, payout } = await settle(page)
  expect(amountNano).toBe(BigInt(adjusted) * terms.workerFee)
  return { adjusted, costNano, amountNano, payout }
}

/** An amount among the terms that the Network screen read from the contract. */
async function rootValue(of: Page, name: string): Promise<bigint> {
  const term = of.getByRole('region', { name: 'Rules of the network' }).getByRole('term').filter({ hasText: name }).first()
  return nanoOf(await term.locator('xpath=following-sibling::dd[1]').innerText())
}

test('the operator reads and changes it while the app runs', async () => {
  const shown = await runCommand(['network', 'show', file, '--data-dir', dataDir])
  expect(shown.output).toMatch(/Price +120000 nano/)
  expect(shown.output).toContain('of the app that runs with')
  const changed = await runCommand(['network', 'set-params', file, '--client-delay', '45 s', '--data-dir', dataDir, '--yes'])
  expect(changed.output).toMatch(/after +45 s/)
  expect(changed.code).toBe(0)
})

test('under a new price the app goes on by itself, and nothing of the former account is shown as its own', async () => {
  const price = ['--price', `${newPrice} nano`, '--worker-fee', `${newFee} nano`]
  const changed = await runCommand(['network', 'set-price', file, ...price, '--data-dir', dataDir, '--yes'])
  expect(changed.code, changed.output).toBe(0)
  await goTo(page, 'Network')
  await expect.poll(() => rootValue(page, 'Price per adjusted token')).toBe(newPrice)
  await goTo(page, 'Wallet')
  // The new contract with what was put on it; nothing of it is used yet.
  const chat = page.getByText('Chat balance', { exact: true }).locator('xpath=..')
  await expect.poll(() => exactFigure(page, 'Chat balance'), { timeout: readyMs }).toBe(5_000_000_000n)
  await expect(chat.getByText('not charged on chain yet')).toHaveCount(0)
  await goTo(page, 'Chat')
  await askAndSettle('Name a fruit and say why people like it.', { pricePerToken: newPrice, workerFee: newFee })
  await goTo(page, 'Wallet')
  await expect.poll(() => exactFigure(page, 'Earnings pending')).toBe(0n)
  expect(await exactFigure(page, 'Chat balance')).toBe(5_000_000_000n)
})

const seal = (): Locator => page.getByRole('button', { name: /^Privacy: / })
const consent = (): Locator => page.getByRole('alertdialog', { name: /worker’s owner could read this$/ })

/** Whether something lies over a part of it, e.g. the notice of what was settled just before. */
function isCovered(dialog: Locator): Promise<boolean> {
  return dialog.evaluate((element) => {
    const { left, top, width, height } = element.getBoundingClientRect()
    const parts = Array.from({ length: 19 }, (_, index) => (index + 1) / 20)
    return parts.some((x) =>
      parts.some((y) => !element.contains(element.ownerDocument.elementFromPoint(left + x * width, top + y * height))),
    )
  })
}

async function consentToOpen(): Promise<void> {
  const use = consent().getByRole('button', { name: 'Use Open network' })
  await expect(use).toBeDisabled()
  await consent()
    .getByRole('checkbox', { name: /^I understand that .*the worker’s owner could read what I send\.$/ })
    .check()
  await use.click()
  await expect(consent()).toBeHidden()
  await expect(seal()).toHaveAccessibleName(/^Privacy: Open network\. The worker’s owner could read your next question/)
}

test('the Open network answers after consent, for money, and says who can read', async () => {
  mkdirSync(pictures, { recursive: true })
  await goTo(page, 'Chat')
  await chooseLevel(page, 'Open network')
  await expect(consent()).toBeVisible()
  await page.setViewportSize({ width: 960, height: 640 })
  expect(await isCovered(consent())).toBe(false)
  await page.setViewportSize(windowOptions.viewport)
  await clearToAll(page, pictures, 'consent', smallViews)
  // Whoever does not consent stays where they were.
  await consent().getByRole('button', { name: 'Stay: On this computer' }).click()
  await expect(seal()).toHaveAccessibleName(/^Privacy: On this computer/)
  await chooseLevel(page, 'Open network')
  await consentToOpen()
  const turn = await ask(page, openQuestion)
  await answered(turn)
  const { adjusted, costNano } = await figuresOf(turn)
  if (adjusted === undefined || costNano === undefined) throw new Error('The answer does not say what it cost.')
  expect(adjusted).toBeGreaterThan(0)
  expect(costNano).toBe(BigInt(adjusted) * newPrice)
  await expect(turn.getByRole('button', { name: 'Sent sealed past the proxy' })).toBeVisible()
  await expect(page.locator('.seal-row')).toHaveClass(/tone-open/)

  await seal().click()
  const sheet = page.getByRole('dialog', { name: 'Open network' })
  await expect(sheet.getByText(/^The worker’s owner could read your next question\./)).toBeVisible()
  await expect(sheet.getByText(/^Checked (just now|\d)/)).toBeVisible()
  const row = (statement: string): Locator => sheet.getByRole('listitem').filter({ hasText: statement })
  for (const statement of ['The way to the proxy is encrypted', 'The proxy is listed in the registry', 'Sealed past the proxy'])
    await expect(row(statement)).toContainText('Checked here')
  await expect(row('Sealed past the proxy')).toContainText(/Sealed to worker \S+; who that is was not checked/)
  for (const statement of ['Sealed hardware', 'Published software', 'The worker and its model'])
    await expect(row(statement)).toContainText('Not checked')
  await clearToAll(page, pictures, 'sheet', smallViews)
  await page.keyboard.press('Escape')

  await goTo(page, 'Earn')
  await pendingRequest(page)
  console.log(`    Open network: ${adjusted} adjusted tokens for ${costNano} nano`)
})

/** What another endpoint of the chain makes of an answer of it. */
let told: (answer: string) => string = (answer) => answer

test('consent to the Open network ends with the app: the same chat asks again before anything is sent', async () => {
  await app?.stop()
  passing = await passingEndpoint(dataDir, (answer) => told(answer))
  const network = { ...JSON.parse(readFileSync(file, 'utf8')), chain: { kind: 'local', endpoints: [passing.url] } }
  writeFileSync(file, JSON.stringify(network))
  app = await startApp(dataDir, { args: ['--network', file] })
  await openByLink(page, app)
  await goTo(page, 'Chat')
  await page.getByRole('complementary', { name: 'Conversations' }).getByRole('link', { name: openQuestion }).click()
  await expect(page.getByRole('article', { name: /^Question: / })).toHaveCount(1)
  const again = 'Say it in other words.'
  await page.getByRole('textbox', { name: 'Message' }).fill(again)
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled({ timeout: readyMs })
  await page.getByRole('textbox', { name: 'Message' }).press('Enter')
  await expect(consent()).toBeVisible()
  await expect(page.getByRole('article', { name: /^Question: / })).toHaveCount(1)
  await consentToOpen()
  // What was written is still there.
  await answeredInPart(await ask(page, again))
  await expect(page.getByRole('article', { name: /^Question: / })).toHaveCount(2)
})

test('an endpoint that lies about the network contract is found out: the seal falls, and nothing is sent', async () => {
  const sheet = page.getByRole('dialog')
  const registry = sheet.getByRole('listitem').filter({ hasText: 'The proxy is listed in the registry' })
  const rules = page.getByRole('region', { name: 'Rules of the network' })
  await goTo(page, 'Network')
  await expect(rules).toContainText(/Read throughhttp\S+jsonRPC.*Said the samehttp:\/\/127\.0\.0\.1:\d+\/api\/v2\/jsonRPC$/)
  await expect(page.getByRole('alert')).toHaveCount(0)
  await goTo(page, 'Chat')
  await page.getByRole('complementary', { name: 'Conversations' }).getByRole('link', { name: openQuestion }).click()
  await seal().click()
  await expect(registry).toContainText(/read through \S+\. Also asked: \S+\. They agreed; no block proof was checked\./)
  await page.keyboard.press('Escape')
  told = (answer) =>
    answer.replaceAll(/"(data|code)":"[^"]*"/g, '"$1":""').replaceAll('"state":"active"', '"state":"uninitialized"')
  await expect(seal()).toHaveAccessibleName(/^Privacy: Not verified/)
  await expect(page.getByRole('button', { name: 'Send' })).toBeDisabled()
  await seal().click()
  await expect(registry).toContainText(/Failed.*The endpoints \S+ and \S+ tell different things about the network contract\./s)
  await clearToAll(page, pictures, 'disagreement', smallViews)
  await page.keyboard.press('Escape')
  await goTo(page, 'Network')
  // The chat's own alerts are there until the screen has changed.
  await expect(page.getByRole('alert').filter({ hasText: 'Two endpoints disagree about this network.' })).toContainText(
    'no question is sent over this network',
  )
  await expect(rules).toContainText(/Tells something elsehttp/)
  await expect(rules).not.toContainText('Said the same')
  // What they agreed on last is still shown.
  expect(await rootValue(page, 'Price per adjusted token')).toBe(newPrice)
  await clearToAll(page, pictures, 'network-disagreement', smallViews)
})

test('a network of the main network is opened for reading only', async ({ browser }) => {
  // The chain of the running app stands for the endpoint of the main network; the second app cannot tell.
  const { endpoint } = JSON.parse(readFileSync(join(dataDir, 'local-network.json'), 'utf8')) as { endpoint: string }
  const otherDir = await dataDirWithModel()
  const real = join(otherDir, 'real.json')
  const network = {
    ...JSON.parse(readFileSync(file, 'utf8')),
    name: 'Real',
    kind: 'open',
    chain: { kind: 'mainnet', endpoints: [endpoint] },
  }
  writeFileSync(real, JSON.stringify(network))
  const { app: second, window: context, page: reader } = await openApp(browser, otherDir, { args: ['--network', real] })
  try {
    await expect(reader.getByText('Real, TON main network, real coins, only read')).toBeVisible()
    await goTo(reader, 'Network')
    await expect(reader.getByText('Open for reading only')).toBeVisible()
    await expect(reader.getByText('Listed', { exact: true })).toBeVisible()
    expect(await rootValue(reader, 'Price per adjusted token')).toBe(newPrice)
    await expect(reader.getByText(/proxy contract/i)).toHaveCount(0)
    await goTo(reader, 'Wallet')
    await expect(reader.getByText('No wallet is open on this network')).toBeVisible()
  } finally {
    await context.close()
    await second.stop()
  }
})
