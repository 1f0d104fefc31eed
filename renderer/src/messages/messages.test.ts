import { createIntl } from 'react-intl'
import { describe, expect, it } from 'vitest'
import en from './en.json'
import ru from './ru.json'

const catalogues = { en, ru } as Record<'en' | 'ru', Record<string, string>>
const ids = Object.keys(en)

/** Names of the values that a message takes, nested ones too. */
const valueNames = (message: string): string[] =>
  [...new Set([...message.matchAll(/\{\s*([A-Za-z]\w*)\s*[,}]/g)].map(([, name]) => name ?? ''))].toSorted()

describe('the catalogues', () => {
  it('hold the same ids', () => {
    expect(ids.length).toBeGreaterThan(200)
    expect(Object.keys(ru).toSorted()).toEqual(ids.toSorted())
  })

  it.each(['en', 'ru'] as const)('%s: every message is valid ICU and says something', (language) => {
    const errors: string[] = []
    const intl = createIntl({
      locale: language,
      messages: catalogues[language],
      onError: (error) => errors.push(String(error)),
    })
    for (const [id, message] of Object.entries(catalogues[language])) {
      for (const n of [0, 1, 2, 5]) {
        const values = Object.fromEntries(valueNames(message).map((name) => [name, n]))
        const text = String(intl.formatMessage({ id }, values))
        if (text.trim() === '' || text === id) errors.push(`${id}: no text`)
        if (/[{}]/.test(text)) errors.push(`${id}: ${text}`)
      }
    }
    expect(errors).toEqual([])
  })

  it('take the same values in both languages', () => {
    const differing = ids.filter(
      (id) => valueNames(catalogues.en[id] ?? '').join() !== valueNames(catalogues.ru[id] ?? '').join(),
    )
    expect(differing).toEqual([])
  })

  it('know the Russian plurals', () => {
    const intl = createIntl({ locale: 'ru', messages: ru })
    const say = (n: number) => intl.formatMessage({ id: 'usage.tokens' }, { n, count: String(n) })
    expect([1, 3, 5, 21].map(say)).toEqual(['1 токен', '3 токена', '5 токенов', '21 токен'])
  })

  it('use none of the words that promise too much', () => {
    const banned = /\b(secure|anonymous|military|zero-knowledge|trustless|guaranteed)\b|100\s*%|безопасн|анонимн|гарантир/i
    const found = Object.values(catalogues).flatMap((messages) => Object.values(messages).filter((text) => banned.test(text)))
    expect(found).toEqual([])
  })

  it('hold every id that the components name, and no id that none names', () => {
    const files = import.meta.glob<string>(['../**/*.{ts,tsx}', '!../**/*.test.ts'], {
      query: '?raw',
      import: 'default',
      eager: true,
    })
    expect(Object.keys(files).length).toBeGreaterThan(50)
    const code = Object.values(files).join('\n')
    const unused = ids.filter((id) => {
      if (code.includes(`'${id}'`)) return false
      // Built ids: one part is a value, e.g. `start.part.${id}`.
      const parts = id.split('.')
      return !parts.some((_, index) => {
        const built = parts.map((part, place) => (place === index ? '\\$\\{[^}]+\\}' : part.replaceAll('-', '\\-'))).join('\\.')
        return new RegExp(`\`${built}\``).test(code)
      })
    })
    expect(unused).toEqual([])
  })
})
