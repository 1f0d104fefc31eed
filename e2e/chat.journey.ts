import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import { type RunningApp, startApp } from './support/app.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import { answered, goTo, newWindow, openByLink } from './support/screens.ts'

/** What a chat does with unusual input: presses by script, text that would reorder the screen, text that is too long. */

let app: RunningApp
let window: BrowserContext
let page: Page

test.beforeAll(async ({ browser }) => {
  app = await startApp(await dataDirWithModel())
  window = await newWindow(browser)
  page = await window.newPage()
  await openByLink(page, app)
})

test.afterAll(async () => {
  await window?.close()
  await app?.stop()
})

const chats = () => page.getByRole('complementary', { name: 'Conversations' }).getByRole('link')

test('many presses of Send in one moment are one message in one chat', async () => {
  await goTo(page, 'Chat')
  const before = await chats().count()
  const question = 'Say good morning in one short sentence.'
  await page.getByRole('textbox', { name: 'Message' }).fill(question)
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled({ timeout: 90_000 })
  await page.evaluate(`
    (() => {
      const send = document.querySelector('button[aria-label="Send"]')
      for (let press = 0; press < 5; press++) send.click()
      // Once more, a moment before the new chat is on the screen.
      addEventListener('hashchange', () => send.click(), { once: true, capture: true })
    })()`)
  const turn = page.getByRole('article', { name: `Question: ${question}` })
  await answered(turn)
  await expect(turn).toHaveCount(1)
  await expect(chats()).toHaveCount(before + 1)

  await page.getByRole('textbox', { name: 'Message' }).fill('And good night.')
  await page.evaluate(`for (let press = 0; press < 5; press++) document.querySelector('button[aria-label="Send"]').click()`)
  await answered(page.getByRole('article', { name: 'Question: And good night.' }))
  await expect(page.getByRole('article')).toHaveCount(2)
  await expect(chats()).toHaveCount(before + 1)
})
