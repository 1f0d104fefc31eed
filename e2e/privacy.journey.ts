import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, expect, type Locator, type Page, test } from '@playwright/test'
import { WebSocket } from 'ws'
import { canaryBelow, newCanary, spelledIn } from '../main/base/testing/canary.ts'
import { type RunningApp, runCommand } from './support/app.ts'
import { clearToAll } from './support/axe.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import { answered, answeredInPart, ask, composerAt, goTo, openApp, practice } from './support/screens.ts'

const pictures = join(import.meta.dirname, '..', 'test-results', 'privacy')

test.describe.configure({ mode: 'serial' })

let app: RunningApp
let window: BrowserContext
let page: Page
const canary = newCanary()
/** What the page saves, beside the data folder: it holds what the person wrote to a file on purpose. */
let saves: string

const seal = (): Locator => page.getByRole('button', { name: /^Privacy: / })
const sheet = (): Locator => page.getByRole('dialog')
const row = (statement: string): Locator => sheet().getByRole('listitem').filter({ hasText: statement })

test.beforeAll(async ({ browser }) => {
  saves = mkdtempSync(join(tmpdir(), 'cocoon-saved-'))
  ;({ app, window, page } = await openApp(browser, await dataDirWithModel(), { args: ['--verbose'] }))
  await page.emulateMedia({ reducedMotion: 'reduce' })
  mkdirSync(pictures, { recursive: true })
})

test.afterAll(async () => {
  await window?.close()
  await app?.stop()
  rmSync(saves, { recursive: true, force: true })
})

/** What a button saves as a file. */
async function saved(button: Locator): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), button.click()])
  const path = join(saves, `${Date.now()}-${download.suggestedFilename()}`)
  await download.saveAs(path)
  return path
}

test('another web server of this computer is shown the cookie, and opens nothing with it', async () => {
  const shown: string[] = []
  const server = createServer((request, response) => {
    shown.push(request.headers.cookie ?? '')
    response.end('<title>Another</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const other = await window.newPage()
  await other.goto(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`)
  const [cookie = ''] = shown
  expect(cookie).toMatch(/cocoon_session_\d+=/)
  // Its page has a storage of its own, and the key is in no address.
  expect(await other.evaluate('({ ...localStorage })')).toEqual({})
  expect(page.url()).not.toContain('key')
  const { origin } = new URL(app.link)
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api`, { headers: { cookie, origin } })
  expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(4401)
  await other.close()
  server.close()
})

test('the page opens again after a reload, and in another tab of the browser', async () => {
  await page.reload()
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible()
  await expect(page.getByRole('textbox', { name: 'Message' })).toBeVisible()
  const tab = await window.newPage()
  await tab.goto(`${new URL(app.link).origin}/#/earn`)
  await expect(tab.getByRole('navigation', { name: 'Main' })).toBeVisible()
  await tab.close()
})

test('on this computer: the seal is earned by checks of the running engine', async () => {
  const turn = await ask(page, `Please repeat ${canary} once.`)
  await answeredInPart(turn)
  await expect(seal()).toHaveAccessibleName(/^Privacy: On this computer\. Only you can read this/)
  await seal().click()
  await expect(row('The model runs in a process of this app')).toContainText('Checked here')
  await expect(row('The model file is the published one')).toContainText('Checked here')
  await expect(row('The engine holds no connection')).toContainText('Checked here')
  await expect(row('The chat is stored encrypted')).toContainText('Part of this version')
  await expect(sheet().getByText('No payment.')).toBeVisible()
  const parts = await sheet().evaluate((element) => {
    const text = element.innerText
    return ['Only you can read this conversation', 'The model file is', 'What this cannot prove', 'Evidence', 'Payment'].map(
      (part) => text.indexOf(part),
    )
  })
  expect(parts).toEqual(parts.toSorted((a, b) => a - b))
  expect(parts).not.toContain(-1)
  await clearToAll(page, pictures, 'sheet-computer')
  await sheet().getByRole('button', { name: 'Check again' }).click()
  await expect(sheet().getByText(/^Verified just now/)).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(sheet()).toBeHidden()
  await expect(seal()).toBeFocused()
})

test('levels that nothing is set up for say so, are not green, and cannot be chosen by mistake', async () => {
  await page.getByRole('button', { name: 'Change who can read this' }).click()
  for (const [level, reason] of [
    ['Attested network', 'No attested network is configured.'],
    ['Open network', 'No open network is configured.'],
  ] as const) {
    const option = page.getByRole('radio', { name: level, exact: true })
    await expect(option).toContainText(reason)
    await expect(option).toHaveClass(/tone-neutral/)
  }
  await clearToAll(page, pictures, 'switcher')
  await page.keyboard.press('Escape')
  for (const keys of ['Alt+3', 'Alt+4']) {
    await page.keyboard.press(keys)
    await expect(page.getByRole('alert').filter({ hasText: 'is configured' })).toBeVisible()
    await expect(seal()).toHaveAccessibleName(/^Privacy: On this computer/)
  }
})

test('practice network: neutral, checked as far as it goes, with evidence and a receipt that others verify', async () => {
  await page.keyboard.press('Alt+5')
  await expect(composerAt(page, practice)).toBeVisible()
  const turn = await ask(page, `Say ${canary} in one short sentence.`)
  await answered(turn)
  await expect(seal()).toHaveAccessibleName(/^Privacy: Practice network/)
  await expect(page.locator('.seal-row')).toHaveClass(/tone-neutral/)
  await seal().click()
  // Nearly every row says that nobody checked: that is no "Verified".
  await expect(sheet().getByText(/^Checked (just now|\d)/)).toBeVisible()
  // Others may be in the network; they take no part in this.
  await expect(
    sheet().getByText('Only this app’s own proxy and worker carry and read the question', { exact: false }),
  ).toBeVisible()
  await expect(sheet().getByText('Only this computer')).toHaveCount(0)
  await expect(row('Own proxy and worker')).toContainText('sealed to the key of this app’s worker')
  await expect(row('The way to the proxy is encrypted')).toContainText('Checked here')
  await expect(row('The proxy is listed in the registry')).toContainText('no block proof was checked')
  for (const statement of ['Sealed hardware', 'Published software', 'The worker and its model'])
    await expect(row(statement)).toContainText('Not checked')
  await clearToAll(page, pictures, 'sheet-practice')

  const evidence = await saved(sheet().getByRole('button', { name: 'Save as JSON' }))
  const told = await runCommand(['verify', evidence])
  expect(told.output).toContain('NOT PROVEN: there is no attestation in this evidence')
  expect(told.code).toBe(3)
  await page.keyboard.press('Escape')

  const endpoint = app.output().match(/http:\/\/127\.0\.0\.1:\d+(?=\/api)/)?.[0]
  await expect
    .poll(
      async () => {
        const receipt = await saved(turn.getByRole('button', { name: 'Save the receipt' }))
        return (await runCommand(['verify', receipt])).output
      },
      { intervals: [2_000] },
    )
    .toMatch(/^PROVEN from the file alone:/m)
  const receipt = await saved(turn.getByRole('button', { name: 'Save the receipt' }))
  const { chain, tokens } = JSON.parse(await (await import('node:fs/promises')).readFile(receipt, 'utf8'))
  const onChain = await runCommand(['verify', receipt, '--chain', endpoint ?? chain.endpoint])
  expect(onChain.output).toMatch(/The chain .* shows (the charge that covers it|no charge yet)/)
  expect(onChain.code).toBe(onChain.output.includes('no charge yet') ? 4 : 0)
  // More tokens than were billed: the file itself says that it was changed.
  const changed = `${receipt}.changed.json`
  writeFileSync(
    changed,
    JSON.stringify({
      ...JSON.parse(await (await import('node:fs/promises')).readFile(receipt, 'utf8')),
      tokens: { ...tokens, total: '1' },
    }),
  )
  const refused = await runCommand(['verify', changed])
  expect(refused.output).toContain('NOT PROVEN (digest-differs)')
  expect(refused.code).toBe(1)
})

test('the Open network can be forbidden', async () => {
  await goTo(page, 'Settings')
  await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Privacy' }).click()
  await page.getByRole('radio', { name: 'Forbid' }).click()
  await expect(page.getByRole('radio', { name: 'Forbid' })).toBeChecked()
  await clearToAll(page, pictures, 'settings')
})

test('what was written is found in no log and no store, in no spelling', async () => {
  await goTo(page, 'Chat')
  const free = await ask(page, `Once more: ${canary}`)
  await answeredInPart(free)
  await page.keyboard.press('Alt+5')
  await expect(composerAt(page, practice)).toBeVisible()
  await answeredInPart(await ask(page, `And again ${canary}`))
  const whileRunning = canaryBelow(app.dataDir, canary)
  expect(whileRunning.files).toBeGreaterThan(10)
  expect(whileRunning.found).toEqual([])
  await app.stop()
  expect(canaryBelow(app.dataDir, canary).found).toEqual([])
  expect(spelledIn(Buffer.from(app.output()), canary)).toEqual([])
  // The search itself finds what is there.
  writeFileSync(join(app.dataDir, 'control'), Buffer.from(`x${canary}`).toString('base64'))
  expect(canaryBelow(app.dataDir, canary).found).toHaveLength(1)
})
