import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type Page, test } from '@playwright/test'
import { canaryBelow, newCanary, spelledIn } from '../main/base/testing/canary.ts'
import { newDataDir } from './support/app.ts'
import { findingsOfAxe } from './support/axe.ts'
import { present, sendRaw } from './support/page-link.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import { ask, chooseLevel, endAnswer, goTo, type OpenedApp, openApp, someText } from './support/screens.ts'

/** Two installs on this computer, each with its own data folder and process: one answers for the other. */

const pictures = join(import.meta.dirname, '..', 'test-results', 'screens')
mkdirSync(pictures, { recursive: true })
const yours = 'Your devices'
/** Words of a question that is asked, and of one that is not. */
const [asked, unsent] = [newCanary(), newCanary()]

test.describe.configure({ mode: 'serial' })

let pc: OpenedApp
let laptop: OpenedApp

test.beforeAll(async ({ browser }) => {
  pc = await openApp(browser, await dataDirWithModel(), { args: ['--verbose'] })
  // It cannot get a model of its own: whatever it is answered, another engine answered.
  const env = { PIP_INDEX_URL: 'http://127.0.0.1:9/simple', PIP_EXTRA_INDEX_URL: '', PIP_CONFIG_FILE: '/dev/null' }
  laptop = await openApp(browser, newDataDir(), { env, args: ['--verbose'] })
})

test.afterAll(async () => {
  for (const one of [laptop, pc]) {
    await one?.window.close()
    await one?.app.stop()
  }
})

async function openDevices(page: Page): Promise<void> {
  await goTo(page, 'Settings')
  await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Devices' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Devices' })).toBeVisible()
}

async function rename(page: Page, name: string): Promise<void> {
  await page.getByRole('textbox', { name: /^Name of this device/ }).fill(name)
  await page.getByRole('button', { name: 'Rename' }).click()
  await expect(page.getByRole('button', { name: 'Rename' })).toBeDisabled()
}

const looks = [
  ['light', 1280, 800],
  ['dark', 960, 640],
] as const

/** In both themes and sizes, each without a finding of axe. */
async function lookedAt(page: Page, name: string): Promise<void> {
  for (const [colorScheme, width, height] of looks) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height })
    await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`) })
    expect(await findingsOfAxe(page)).toEqual([])
    expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(false)
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 800 })
}

let port = ''

test('nothing listens and nothing is offered before a device is paired', async () => {
  await openDevices(laptop.page)
  await expect(laptop.page.getByText('No device is paired yet.')).toBeVisible()
  await expect(laptop.page.getByTestId('own-address')).toHaveCount(0)
  await goTo(laptop.page, 'Chat')
  await laptop.page.getByRole('button', { name: 'Change who can read this' }).click()
  await expect(laptop.page.getByRole('dialog', { name: 'Who can read this' })).toBeVisible()
  await expect(laptop.page.getByRole('radio', { name: yours, exact: true })).toHaveCount(0)
  await laptop.page.keyboard.press('Escape')
})

test('two installs pair by six words, and both people look at the fingerprints', async () => {
  await openDevices(pc.page)
  await rename(pc.page, 'Gaming PC')
  await pc.page
    .getByRole('radiogroup', { name: /^Let my other devices/ })
    .getByRole('radio', { name: 'On' })
    .click()
  port = (await pc.page.getByTestId('own-address').first().innerText()).split(':').at(-1) ?? ''
  expect(Number(port)).toBeGreaterThan(0)
  await pc.page.getByRole('button', { name: 'Pair a device' }).click()
  await expect(pc.page.getByRole('img', { name: /^QR code/ })).toBeVisible()
  await lookedAt(pc.page, 'settings-devices-code')
  // A fresh one: looking took a good part of its two minutes.
  await pc.page.getByRole('button', { name: 'Close the code' }).click()
  await pc.page.getByRole('button', { name: 'Pair a device' }).click()

  await openDevices(laptop.page)
  await rename(laptop.page, 'Laptop')
  const words = await pc.page.getByTestId('pairing-words').innerText()
  expect(words.split(' ')).toHaveLength(6)
  await laptop.page.getByRole('textbox', { name: 'Address of the other computer' }).fill(`127.0.0.1:${port}`)

  // A slip first: told, and one try less.
  await laptop.page.getByRole('textbox', { name: 'Six words of the code' }).fill('zoo zoo zoo zoo zoo zoo')
  await laptop.page.getByRole('button', { name: 'Connect' }).click()
  await expect(laptop.page.getByRole('alert')).toContainText('The words do not fit, or somebody stands between the two devices.')
  await expect(pc.page.getByText(/and 2 tries\.$/)).toBeVisible()

  await laptop.page.getByRole('textbox', { name: 'Six words of the code' }).fill(words)
  await laptop.page.getByRole('button', { name: 'Connect' }).click()
  const onPc = pc.page.getByRole('alertdialog', { name: 'Pair with Laptop?' })
  const onLaptop = laptop.page.getByRole('alertdialog', { name: 'Pair with Gaming PC?' })
  await expect(onPc).toBeVisible()
  await expect(onLaptop).toBeVisible()
  const prints = async (dialog: typeof onPc): Promise<string[]> => dialog.locator('[lang=en]').allInnerTexts()
  const [theirs, own] = await prints(onPc)
  expect(await prints(onLaptop)).toEqual([own, theirs])
  await lookedAt(laptop.page, 'settings-devices-request')
  await onPc.getByRole('button', { name: 'Pair', exact: true }).click()
  await expect(onPc.getByText('Waiting until Laptop agrees too.')).toBeVisible()
  await onLaptop.getByRole('button', { name: 'Pair', exact: true }).click()
  await expect(onPc).toBeHidden()
  await expect(onLaptop).toBeHidden()
  await expect(laptop.page.getByText('Gaming PC is paired.', { exact: false })).toBeVisible()
  await expect(pc.page.getByRole('listitem', { name: 'Laptop' }).getByText('Connected now.', { exact: false })).toBeVisible()
  await lookedAt(laptop.page, 'settings-devices-paired')
})

test('the laptop is answered by the PC, free, and the sheet says who can read it', async () => {
  const { page } = laptop
  await goTo(page, 'Chat')
  await chooseLevel(page, yours)
  const turn = await ask(page, `Say good morning in one short sentence, ${asked}.`)
  await someText(turn)
  await expect(page.getByText('Only you can read this. Runs on Gaming PC.')).toBeVisible()
  await page.screenshot({ path: join(pictures, 'chat-devices.png') })
  await endAnswer(turn)
  await page.getByRole('button', { name: /^Privacy: Your devices/ }).click()
  const sheet = page.getByRole('dialog', { name: yours })
  await expect(
    sheet.getByText(/^Only you can read this conversation. It is answered on Gaming PC, which you paired on /),
  ).toBeVisible()
  await expect(sheet.getByText('The computer has the key that you paired')).toBeVisible()
  await expect(sheet.getByText('Keys for this connection are fresh')).toBeVisible()
  await expect(sheet.getByText('The connection is direct')).toBeVisible()
  await expect(sheet.getByText(/SmolLM2.*says the computer/)).toBeVisible()
  await lookedAt(page, 'sheet-devices')
  await page.keyboard.press('Escape')
})

test('a removed laptop is refused with a clear text, and nothing is sent', async () => {
  await openDevices(pc.page)
  await pc.page.getByRole('button', { name: 'Remove Laptop' }).click()
  await pc.page.getByRole('alertdialog').getByRole('button', { name: 'Remove', exact: true }).click()
  await expect(pc.page.getByText('No device is paired yet.')).toBeVisible()
  const { page } = laptop
  await expect(page.getByText('The other computer has removed this device.', { exact: false }).first()).toBeVisible()
  const turns = page.getByRole('article')
  const before = await turns.count()
  await page.getByRole('textbox', { name: 'Message' }).fill(unsent)
  await page.getByRole('textbox', { name: 'Message' }).press('Enter')
  // The button is off. The core itself refuses too, for whoever asks without the page's buttons.
  const chat = (await present<{ id: string; level: string }[]>(page, 'chat.list')).find(({ level }) => level === 'devices')
  const input = { id: chat?.id, text: unsent }
  expect(await sendRaw(page, JSON.stringify({ t: 'call', n: 7, name: 'chat.send', input }))).toMatchObject({
    messages: [{ t: 'error', n: 7, error: { code: 'not-ready', words: { code: 'device-removed' } } }],
    closed: null,
  })
  await expect(turns).toHaveCount(before)
  await expect(page.getByRole('textbox', { name: 'Message' })).toHaveValue(unsent)
  await page.screenshot({ path: join(pictures, 'chat-devices-removed.png') })
})

test('in Russian too', async () => {
  const { page } = laptop
  await goTo(page, 'Settings')
  await page.getByRole('navigation', { name: 'Settings sections' }).getByRole('link', { name: 'Language' }).click()
  await page.getByRole('radio', { name: 'Русский' }).click()
  await page.getByRole('link', { name: 'Устройства' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Устройства' })).toBeVisible()
  await expect(page.getByText('Другой компьютер удалил это устройство.', { exact: false }).first()).toBeVisible()
  await lookedAt(page, 'settings-devices-ru')
})

test('what was asked, or was not sent, is found in no log and no store of either, in no spelling', async () => {
  for (const { app } of [laptop, pc]) {
    await app.stop()
    for (const canary of [asked, unsent]) {
      const { found, files } = canaryBelow(app.dataDir, canary)
      expect(files).toBeGreaterThan(10)
      expect(found).toEqual([])
      expect(spelledIn(Buffer.from(app.output()), canary)).toEqual([])
    }
  }
})
