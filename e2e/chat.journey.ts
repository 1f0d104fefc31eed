import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import type { RunningApp } from './support/app.ts'
import { present } from './support/page-link.ts'
import { dataDirWithModel } from './support/provisioned.ts'
import { answeredInPart, chooseLevel, computer, endAnswer, goTo, openApp, practice, readyMs } from './support/screens.ts'

/** What a chat does with unusual input: presses by script, text that would reorder the screen, text that is too long. */

let app: RunningApp
let window: BrowserContext
let page: Page

test.beforeAll(async ({ browser }) => {
  ;({ app, window, page } = await openApp(browser, await dataDirWithModel()))
})

test.afterAll(async () => {
  await window?.close()
  await app?.stop()
})

async function newChat(): Promise<void> {
  await page.getByRole('button', { name: 'New chat' }).click()
  // What is typed before it is there would go into the chat of before.
  await expect(page.getByRole('heading', { name: 'Ask anything' })).toBeVisible()
}
const chats = () => page.getByRole('complementary', { name: 'Conversations' }).getByRole('link')

test('many presses of Send in one moment are one message in one chat', async () => {
  await goTo(page, 'Chat')
  const before = await chats().count()
  const question = 'Say good morning in one short sentence.'
  await page.getByRole('textbox', { name: 'Message' }).fill(question)
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled({ timeout: readyMs })
  await page.evaluate(`
    (() => {
      const send = document.querySelector('button[aria-label="Send"]')
      for (let press = 0; press < 5; press++) send.click()
      // Once more, a moment before the new chat is on the screen.
      addEventListener('hashchange', () => send.click(), { once: true, capture: true })
    })()`)
  const turn = page.getByRole('article', { name: `Question: ${question}` })
  await answeredInPart(turn)
  await expect(turn).toHaveCount(1)
  await expect(chats()).toHaveCount(before + 1)

  await page.getByRole('textbox', { name: 'Message' }).fill('And good night.')
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled()
  await page.evaluate(`for (let press = 0; press < 5; press++) document.querySelector('button[aria-label="Send"]').click()`)
  await answeredInPart(page.getByRole('article', { name: 'Question: And good night.' }))
  await expect(page.getByRole('article')).toHaveCount(2)
  await expect(chats()).toHaveCount(before + 1)
})

test('text that turns its direction around reorders nothing outside its own block', async () => {
  await goTo(page, 'Chat')
  const hidden = /[\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/
  await page.getByRole('textbox', { name: 'Message' }).fill('Say \u202Eolleh\u2067\u200B now.')
  await page.getByRole('button', { name: 'Send' }).click()
  // The names of the chat and of the turn are labels: what turned them around is gone.
  await expect(page.getByRole('heading', { level: 1, name: 'Say olleh now.', exact: true })).toBeVisible()
  const turn = page.getByRole('article', { name: 'Question: Say olleh now.', exact: true })
  await answeredInPart(turn)
  await expect(chats().filter({ hasText: 'Say olleh now.' })).toHaveCount(1)

  // The message itself is kept as it was written, in a box of its own.
  const question = turn.locator('.turn-question')
  expect(await question.textContent()).toMatch(hidden)
  await expect(question).toHaveCSS('unicode-bidi', 'plaintext')
  const outside = await page.evaluate<string>(`
    (() => {
      const copy = document.body.cloneNode(true)
      for (const body of copy.querySelectorAll('.turn-question, .markdown')) body.remove()
      const names = [...copy.querySelectorAll('[aria-label], [title]')].map((one) => one.getAttribute('aria-label') + one.title)
      return copy.textContent + names.join() + document.title
    })()`)
  expect(outside).not.toMatch(hidden)
})

test('unsent text is there again after a visit to another screen, and too long a text is not cut', async () => {
  const message = page.getByRole('textbox', { name: 'Message' })
  const heading = await page.getByRole('heading', { level: 1 }).innerText()
  await message.fill('Not sent yet')
  await goTo(page, 'Wallet')
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Chat', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading)
  await expect(message).toHaveValue('Not sent yet')
  await message.fill('a'.repeat(100_001))
  await expect(page.getByText(/^Too long: 100.001 of at most 100.000 letters/)).toBeVisible()
  await expect(page.getByRole('button', { name: 'Send' })).toBeDisabled()
  await message.fill('')
})

test('a chat from right to left reads from the right', async () => {
  await newChat()
  await page.getByRole('textbox', { name: 'Message' }).fill('שלום, מה שלומך?')
  await page.getByRole('button', { name: 'Send' }).click()
  const turn = page.getByRole('article', { name: /שלום, מה שלומך/ })
  await expect(turn).toBeVisible()
  const box = await turn.locator('.turn-question').boundingBox()
  const text = await page.evaluate<{ left: number; right: number }>(`
    (() => {
      const range = document.createRange()
      range.selectNodeContents([...document.querySelectorAll('.turn-question')].at(-1))
      const { left, right } = range.getClientRects()[0]
      return { left, right }
    })()`)
  if (!box) throw new Error('The question is not on the screen.')
  expect(box.x + box.width - text.right).toBeLessThan(30)
  expect(text.left - box.x).toBeGreaterThan(200)
  // What so small a model answers in this language is mostly long and no words.
  await endAnswer(turn)
})

test('a question that is too long for the model, or for the account, says so, and nothing is paid', async () => {
  const word = 'lighthouse '
  const used = async (): Promise<string | undefined> =>
    (await present<{ chat?: { used: string } }>(page, 'wallet.state')).chat?.used
  const asked = async (length: number): Promise<string> => {
    await page.getByRole('textbox', { name: 'Message' }).fill(word.repeat(length / word.length))
    await page.getByRole('button', { name: 'Send' }).click()
    const failure = page.getByRole('region', { name: 'The answer failed' }).last()
    await expect(failure).toBeVisible()
    const text = await failure.innerText()
    await newChat()
    return text
  }
  await newChat()
  await chooseLevel(page, computer)
  expect(await asked(99_000)).toMatch(/the model reads at most 8192 with its answer[\s\S]*You paid nothing\./)

  await expect.poll(used).toBeDefined()
  const before = await used()
  for (const length of [99_000, 55_000]) {
    await chooseLevel(page, practice)
    await expect(page.getByRole('button', { name: /^Privacy: Practice network.*Test coins/ })).toBeVisible()
    const text = await asked(length)
    expect(text).toMatch(/too long for this model: about \d+ tokens, and it reads at most 8192/)
    expect(text).toContain('You paid nothing.')
  }
  // The model could read this one, but the proxy must not reserve so much for it.
  await chooseLevel(page, practice)
  const text = await asked(26_400)
  expect(text).toMatch(/has to reserve 5\.\d+\sTON .* the stake lets it reserve 5\sTON\. Shorten the text/)
  expect(text).toContain('You paid nothing.')
  expect(await used()).toBe(before)
})

test('in Russian, reasons and errors of the core are in Russian too', async () => {
  await page.evaluate(`location.hash = '#/settings/language'`)
  await page.getByRole('radio', { name: 'Русский' }).click()
  await page.evaluate(`location.hash = '#/chat/new'`)
  await page.getByRole('button', { name: 'Изменить, кто может это прочитать' }).click()
  await page.getByRole('radio', { name: 'Учебная сеть, все роли на этом компьютере', exact: true }).click()
  await page.getByRole('textbox', { name: 'Сообщение' }).fill('lighthouse '.repeat(9_000))
  await page.getByRole('button', { name: 'Отправить' }).click()
  const failure = page.getByRole('region', { name: 'Ответ не получен' })
  await expect(failure).toContainText(
    'Текст слишком длинный для модели: она читает не больше 8\u202f192 токенов вместе с ответом.',
  )
  await expect(failure).toContainText('Вы ничего не заплатили.')

  await page.evaluate(`location.hash = '#/wallet'`)
  await expect(page.getByRole('table').getByText('Пополнение баланса чата')).toBeVisible()
  await page.evaluate(`location.hash = '#/network'`)
  await expect(page.getByText('Не проверено: он работает на этом компьютере и не имеет аттестации.')).toBeVisible()
  await expect(page.getByText(/^Соединено с 127\.0\.0\.1:\d+$/)).toBeVisible()
  // What stays English is a name or an address, never a sentence of the core.
  for (const screen of ['earn', 'models', 'wallet', 'network', 'settings/about']) {
    await page.evaluate(`location.hash = '#/${screen}'`)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await page.waitForTimeout(300)
    const text = await page.getByRole('main').innerText()
    expect(text.match(/\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b/g) ?? [], screen).toEqual([])
  }
})
