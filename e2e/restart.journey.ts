import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import { appNode, descendants, isAlive, type RunningApp, startApp } from './support/app.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import {
  answered,
  answerOf,
  ask,
  chooseLevel,
  exactFigure,
  goTo,
  newestRequest,
  openApp,
  openByLink,
  pendingRequest,
  practice,
  settle,
} from './support/screens.ts'

/** Words that stand nowhere else, so that a search of the disk cannot miss or confuse them. */
const canary = 'Zimtschnecke Quokka Fjordpferd'
const question = `Write one sentence with the words ${canary}.`

test.describe.configure({ mode: 'serial' })

let app: RunningApp
let window: BrowserContext
let page: Page
let dataDir: string
let elsewhere: string | undefined
let answer: string
let balances: Balances

interface Balances {
  readonly spendable: bigint
  readonly chat: bigint
  readonly node: bigint
}

async function readBalances(): Promise<Balances> {
  await goTo(page, 'Wallet')
  await expect(page.getByText('Chat balance', { exact: true })).toBeVisible()
  return {
    spendable: await exactFigure(page, 'You can spend'),
    chat: await exactFigure(page, 'Chat balance'),
    node: await exactFigure(page, 'Node wallet'),
  }
}

/** Files of the data folder that hold `text`, in either encoding that SQLite and JavaScript know. */
function filesWith(text: string): string[] {
  const forms = [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')]
  return readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.gguf'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      const content = readFileSync(path)
      return forms.some((form) => content.includes(form))
    })
}

test.afterAll(async () => {
  await window?.close()
  await app?.stop()
  if (elsewhere !== undefined) rmSync(dirname(elsewhere), { recursive: true })
})

test('a chat over the practice network is paid, and Ctrl-C ends every process', async ({ browser }) => {
  dataDir = await dataDirWithModel()
  ;({ app, window, page } = await openApp(browser, dataDir))
  await chooseLevel(page, practice)
  const turn = await ask(page, question)
  await answered(turn)
  answer = await answerOf(turn).innerText()
  expect(answer.trim()).not.toBe('')

  await goTo(page, 'Earn')
  await pendingRequest(page)
  await settle(page)
  balances = await readBalances()
  expect(balances.chat).toBeGreaterThan(0n)

  // Nothing of the conversation is readable on disk, neither while the app runs (with its write-ahead logs) nor after it.
  expect(readdirSync(dataDir)).toContain('chat.db-wal')
  for (const word of [canary, ...canary.split(' ')]) expect(filesWith(word)).toEqual([])

  // The model moves while the engine holds it; the second start answers with it at its new place.
  elsewhere = join(mkdtempSync(join(tmpdir(), 'cocoon-journey-models-')), 'moved')
  await goTo(page, 'Settings')
  await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Models and storage' }).click()
  await page.getByLabel('Move the models to this folder').fill(elsewhere)
  await page.getByRole('button', { name: 'Move the models' }).click()
  const place = page.getByRole('region', { name: 'Folder of the models' })
  await expect(place.getByText(elsewhere, { exact: true })).toBeVisible()
  await expect.poll(() => existsSync(join(dataDir, 'models'))).toBe(false)
  expect(readdirSync(elsewhere).filter((name) => name.endsWith('.gguf'))).toHaveLength(1)

  const children = descendants(app.process.pid ?? 0)
  expect(children.length).toBeGreaterThanOrEqual(2)
  expect(await app.stop()).toBe(0)
  for (const word of [canary, ...canary.split(' ')]) expect(filesWith(word)).toEqual([])
  await expect.poll(() => children.filter(isAlive)).toEqual([])
})

/** A page that a stranger served on the port of the first run, left open in this browser. */
let left: Page
let former: string
const pageKey = `localStorage.getItem('cocoon.pageKey')`

test('who takes the port of the first run reads what the browser kept there', async () => {
  const { origin, port } = new URL(app.link)
  former = await page.evaluate<string>(pageKey)
  expect(former).toMatch(/^[\w-]{43}$/)
  const stranger = createServer((_request, response) => response.end('<title>Another</title>'))
  await new Promise<void>((resolve) => stranger.listen(Number(port), '127.0.0.1', resolve))
  left = await window.newPage()
  await left.goto(`${origin}/`)
  expect(await left.evaluate(pageKey)).toBe(former)
  stranger.closeAllConnections()
  await new Promise((resolve) => stranger.close(resolve))
})

/** How much longer a program that does nothing takes to start and end than on a slow computer that has nothing else to do. */
async function slowness(): Promise<number> {
  const startedAt = performance.now()
  await once(spawn(appNode, ['-e', ''], { stdio: 'ignore' }), 'exit')
  return (performance.now() - startedAt) / 150
}

test('the second start is quick and has the chats and the money of before', async () => {
  app = await startApp(dataDir)
  test.info().annotations.push({ type: 'second start, link printed', description: `${(app.linkAfterMs / 1000).toFixed(1)} s` })
  const openedAt = performance.now()
  await openByLink(page, app)
  const usableMs = app.linkAfterMs + performance.now() - openedAt
  test.info().annotations.push({ type: 'second start, page usable', description: `${(usableMs / 1000).toFixed(1)} s` })
  console.log(`    second start: link after ${app.linkAfterMs.toFixed(0)} ms, page usable after ${usableMs.toFixed(0)} ms`)
  expect(usableMs).toBeLessThan(15_000 * Math.max(1, await slowness()))

  await goTo(page, 'Chat')
  await page
    .getByRole('complementary', { name: 'Conversations' })
    .getByRole('link', { name: new RegExp(question.slice(0, 30)) })
    .click()
  const turn = page.getByRole('article', { name: `Question: ${question}` })
  expect(await answerOf(turn).innerText()).toBe(answer)

  await expect(page.getByRole('region', { name: 'Start of the app' })).toBeHidden()
  expect(await readBalances()).toEqual(balances)
  await goTo(page, 'Earn')
  await expect.poll(async () => (await newestRequest(page))?.Money).toMatch(/settled/i)
})

test('the second start is elsewhere, so that who had the port of the first has no share in it', async () => {
  const { port } = new URL(left.url())
  expect(new URL(page.url()).port).not.toBe(port)
  expect(await page.evaluate(pageKey)).toMatch(/^[\w-]{43}$/)
  expect(await page.evaluate(pageKey)).not.toBe(former)
  expect(await left.evaluate(pageKey)).toBe(former)
  await left.close()
})

test('the chat goes on after the restart', async () => {
  await goTo(page, 'Chat')
  await page
    .getByRole('complementary', { name: 'Conversations' })
    .getByRole('link', { name: new RegExp(question.slice(0, 30)) })
    .click()
  const turn = await ask(page, 'Say thank you in one short sentence.')
  await answered(turn)
  await expect(answerOf(turn)).not.toBeEmpty()
  await expect(turn.getByTitle(/^Exactly /)).toBeVisible()
})
