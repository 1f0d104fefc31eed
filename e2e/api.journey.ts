import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import OpenAI from 'openai'
import type { RunningApp } from './support/app.ts'
import { findingsOfAxe } from './support/axe.ts'
import { nanoOf } from './support/money.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import { relayTo } from './support/relay.ts'
import { answeredInPart, answerOf, ask, chooseLevel, computer, goTo, openApp, practice, readyMs } from './support/screens.ts'

/** A person gives programs the local API, and sees what they use. */

const pictures = join(import.meta.dirname, '..', 'test-results', 'screens')

test.describe.configure({ mode: 'serial' })

let app: RunningApp | undefined
let window: BrowserContext | undefined
let page: Page
let url: string
let secret: string
let client: OpenAI
let relay: Awaited<ReturnType<typeof relayTo>> | undefined

test.beforeAll(async ({ browser }) => {
  ;({ app, window, page } = await openApp(browser, await dataDirWithModel()))
  mkdirSync(pictures, { recursive: true })
})
test.afterAll(async () => {
  relay?.close()
  await window?.close()
  await app?.stop()
})

const keys = () => page.getByRole('region', { name: 'Keys of programs' })
const recent = () => page.getByRole('region', { name: 'Last requests' })

async function openLocalApi(): Promise<void> {
  await goTo(page, 'Settings')
  await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Local API' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Local API' })).toBeVisible()
}

/** Nothing that a reader of the screen would miss, and a picture of it. */
async function lookedAt(name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`) })
  expect(await findingsOfAxe(page)).toEqual([])
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The line of the last request, by the names of its columns. */
async function lastRequest(): Promise<Record<string, string>> {
  const table = recent().getByRole('table')
  const heads = await table.getByRole('columnheader').allInnerTexts()
  const cells = await table.getByRole('row').nth(1).getByRole('cell').allInnerTexts()
  return Object.fromEntries(heads.map((head, index) => [head, cells[index] ?? '']))
}

test('the address is closed until it is switched on, at a port of choice', async () => {
  await openLocalApi()
  await expect(page.getByText('Closed.')).toBeVisible()
  await expect(page.getByText('http://127.0.0.1:4811/v1', { exact: true })).toBeVisible()
  const port = await freePort()
  await page.getByRole('textbox', { name: 'Port' }).fill(String(port))
  await page.getByRole('button', { name: 'Use this port' }).click()
  url = `http://127.0.0.1:${port}/v1`
  await expect(page.getByText(url, { exact: true })).toBeVisible()
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow()
  await page.getByRole('radio', { name: 'On', exact: true }).click()
  await expect(page.getByText('Open to programs on this computer that have a key.')).toBeVisible()
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  expect(await health.json()).toMatchObject({ status: 'ok' })
  expect((await fetch(`${url}/models`)).status).toBe(401)
  await lookedAt('api-no-keys')
})

test('a key is made once agreed, and shown once', async () => {
  await keys().getByRole('button', { name: 'New key' }).click()
  const dialog = page.getByRole('dialog', { name: 'New key' })
  await dialog.getByRole('textbox', { name: 'Name of the program' }).fill('Editor')
  const make = dialog.getByRole('button', { name: 'Make the key' })
  await expect(make).toBeEnabled()
  await dialog.getByRole('radio', { name: 'Practice network' }).click()
  await expect(make).toBeDisabled()
  await dialog.getByRole('textbox', { name: 'Most that it may spend in a day' }).fill('4,5')
  await lookedAt('api-new-key')
  await dialog.getByRole('checkbox', { name: /I agree that requests with this key leave/ }).check()
  await make.click()
  const made = page.getByRole('dialog', { name: 'The key of Editor' })
  secret = await made.locator('code').innerText()
  expect(secret).toMatch(/^sk-cocoon-[\w-]{43}$/)
  await lookedAt('api-key-made')
  await made.getByRole('button', { name: 'I have copied it' }).click()
  await expect(keys().getByRole('row', { name: /Editor/ })).toContainText(`…${secret.slice(-4)}`)
  await expect(keys().getByRole('row', { name: /Editor/ })).toContainText('0 TON of 4.500 TON')
  expect(await page.content()).not.toContain(secret)
  client = new OpenAI({ apiKey: secret, baseURL: url, maxRetries: 0 })
})

test('the example of the screen works in a terminal', async () => {
  await expect.poll(async () => (await client.models.list()).data.length, { timeout: readyMs }).toBe(2)
  const example = page.getByRole('region', { name: 'Example' })
  await expect(example.locator('pre')).toContainText('local/')
  const command = (await example.locator('pre').innerText()).replace('"messages"', '"max_tokens": 8, "messages"')
  const { stdout } = await promisify(execFile)('bash', ['-c', `${command} --silent --fail-with-body`], {
    env: { ...process.env, COCOON_API_KEY: secret },
  })
  const answer = JSON.parse(stdout)
  expect(answer).toMatchObject({ object: 'chat.completion', usage: { completion_tokens: expect.any(Number) } })
  const { completion_tokens: tokensOut } = answer.usage
  expect(tokensOut).toBeGreaterThan(0)
  // So small a model may be done before.
  expect(tokensOut).toBeLessThanOrEqual(8)
  await expect.poll(lastRequest).toMatchObject({ Program: 'Editor', Status: '200', 'Tokens out': String(tokensOut), Cost: '' })
})

test('what it spends over the network is seen at once, to the nanoton', async () => {
  const [, network] = (await client.models.list()).data
  const messages = [{ role: 'user' as const, content: 'What is a heat pump?' }]
  const asked = client.chat.completions.create({ model: network?.id ?? '', messages, max_tokens: 8 })
  const { data, response } = await asked.withResponse()
  expect(data.choices[0]?.message.content).not.toBe('')
  const cost = BigInt(response.headers.get('x-cocoon-cost-nano') ?? '0')
  expect(cost).toBeGreaterThan(0n)
  const spent = keys()
    .getByRole('row', { name: /Editor/ })
    .getByTitle(/ of 4.5/)
  await expect.poll(async () => nanoOf(((await spent.getAttribute('title')) ?? '0').split(' of ')[0] ?? '0')).toBe(cost)
  await expect.poll(lastRequest).toMatchObject({ Model: expect.stringMatching(/^network\/SmolLM2/), Status: '200' })
  expect(nanoOf((await recent().getByRole('row').nth(1).locator('td span[title]').getAttribute('title')) ?? '0')).toBe(cost)
  await expect(client.chat.completions.create({ model: network?.id ?? '', messages, max_tokens: 100_000 })).rejects.toMatchObject(
    {
      code: 'daily_limit_reached',
    },
  )
  await lookedAt('api-used')
})

test('narrow and dark it is as clear', async () => {
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  await page.setViewportSize({ width: 960, height: 640 })
  await expect(page.locator('html[data-theme="dark"]')).toBeAttached()
  await lookedAt('api-used-dark-960')
  const wide = await page.evaluate<number>(
    'Math.max(...[...document.querySelectorAll("main")].map((main) => main.scrollWidth - main.clientWidth))',
  )
  expect(wide).toBe(0)
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.emulateMedia({ colorScheme: 'light' })
})

test('an engine of another program answers chats, at a level that promises nothing for it', async () => {
  await goTo(page, 'Settings')
  await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Engines' }).click()
  const add = async (name: string, address: string, key: string): Promise<void> => {
    await page.getByRole('textbox', { name: 'Name' }).fill(name)
    await page.getByRole('textbox', { name: 'Address' }).fill(address)
    await page.getByLabel('Key, if it wants one').fill(key)
    await page.getByRole('button', { name: 'Add', exact: true }).click()
  }
  await add('lan', 'http://192.0.2.7:8000/v1', '')
  const away = page.getByRole('alertdialog', { name: 'Send messages to another computer?' })
  await expect(away).toContainText('192.0.2.7:8000')
  await lookedAt('engines-away')
  await away.getByRole('button', { name: 'Cancel' }).click()
  await expect(page.getByText('No engine is added yet.')).toBeVisible()

  await add('loop', url, secret)
  await expect(page.getByText('is the local API of this app itself. Its models are here already.')).toBeVisible()
  await expect(page.getByText('No engine is added yet.')).toBeVisible()

  // Any server of that kind will do: one that asks the local API in its turn. What is paid for there is not listed.
  relay = await relayTo(url)
  await add('mine', relay.url, secret)
  const engine = page.getByRole('listitem', { name: 'mine' })
  await expect(engine.getByText('It lists 1 model.')).toBeVisible()
  await expect(engine).toContainText('On this computer, by another program. Its key is kept in the vault.')
  const model = await engine.getByRole('option', { name: /^local\// }).innerText()
  await engine.getByRole('combobox', { name: 'Model for chats' }).selectOption(model)
  await expect(engine.getByText('Used by chats')).toBeVisible()
  await lookedAt('engines')

  await goTo(page, 'Chat')
  await chooseLevel(page, 'Another program')
  const turn = await ask(page, 'What is a lighthouse?')
  await answeredInPart(turn)
  expect(await answerOf(turn).innerText()).not.toBe('')
  await expect(turn).toContainText('Another program')
  await expect(page.getByText('On this computer, by another program (mine): who can read this is up to it.')).toBeVisible()
  await page.getByRole('button', { name: /^Privacy: Another program/ }).click()
  const sheet = page.getByRole('dialog', { name: 'Another program' })
  await expect(sheet.getByText('Nobody can check that from here.')).toBeVisible()
  await lookedAt('engines-sheet')
  await page.keyboard.press('Escape')
  const [{ id } = { id: '' }] = (await client.models.list()).data
  expect(id).toBe(model)
})

test('it serves the network instead of the app’s engine, by a choice that says what follows from it', async () => {
  await goTo(page, 'Earn')
  const card = page.getByRole('region', { name: 'What answers requests' })
  const model = await card.getByRole('option', { name: /^local\// }).innerText()
  await card.getByRole('combobox', { name: 'Answer with' }).selectOption({ label: model })
  const asked = page.getByRole('alertdialog', { name: 'Serve with mine?' })
  await expect(asked).toContainText('It may keep it or pass it on.')
  await expect(asked).toContainText('what memory mine holds is not this app’s to free')
  await lookedAt('serving-asked')
  await asked.getByRole('button', { name: 'Serve with it' }).click()
  await expect(card.getByTestId('serving-text')).toContainText('read by mine, another program')

  await goTo(page, 'Chat')
  await chooseLevel(page, practice)
  await expect(page.getByText('On this computer, by another program (mine): who can read this is up to it.')).toBeVisible()
  const turn = await ask(page, 'What is a harbour?')
  await answeredInPart(turn)
  expect(await answerOf(turn).innerText()).not.toBe('')
  await goTo(page, 'Earn')
  await expect(page.getByRole('row').filter({ hasText: model }).first()).toBeVisible()
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  await page.setViewportSize({ width: 960, height: 640 })
  await expect(page.locator('html[data-theme="dark"]')).toBeAttached()
  await lookedAt('serving-dark-960')
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.emulateMedia({ colorScheme: 'light' })
  await lookedAt('serving')
  await card.getByRole('combobox', { name: 'Answer with' }).selectOption({ label: 'This app’s engine' })
  await expect(card.getByTestId('serving-text')).toContainText('with the model that is in use under Models')
})

test('chats go on beside it, and a revoked key opens nothing', async () => {
  await goTo(page, 'Chat')
  await chooseLevel(page, computer)
  await openLocalApi()
  await keys().getByRole('button', { name: 'Actions for Editor' }).click()
  await page.getByRole('menuitem', { name: 'Revoke' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click()
  await expect(page.getByText('No keys yet')).toBeVisible()
  await expect(client.models.list()).rejects.toMatchObject({ status: 401 })
})
