import { describe, expect, it } from 'vitest'
import { pauseReasons } from '../../../preload/api/limits.ts'
import { makeFormats } from '../format/use-format.ts'
import ru from './core.ru.json'
import { sayOfCore } from './core-words.ts'
import { makeIntl } from './texts.tsx'

/** Sources of the core. Rooms of the operators' command line speak on a terminal, in English, and never to the page. */
const sources = import.meta.glob<string>(
  [
    '../../../main/**/*.ts',
    '!../../../main/**/*.test.ts',
    '!../../../main/**/testing/**',
    '!../../../main/{roles,router,headless,desktop,network,keys}/**',
    '!../../../main/core/network-tool/**',
    '!../../../main/core/verify/**',
  ],
  { query: '?raw', import: 'default', eager: true },
)
const texts = Object.values(sources)

/** How code names a sentence: in a failure, or in the words beside a text. */
const places = [
  /(?:[fF]ailure|WireError|failed|fail)(?:<[^()]*?>)?\(\s*'([a-z][a-z0-9-]+)',/g,
  /\b\w*[wW]ords\(?:?\s*\(?\{\s*code: '([a-z][a-z0-9-]*)'/g,
  /,\s*\{\s*code: '([a-z][a-z0-9-]*)'/g,
]
const codesOf = (text: string): string[] => places.flatMap((place) => [...text.matchAll(place)].map(([, code = '']) => code))

const format = makeFormats((id, values) => makeIntl('ru').formatMessage({ id }, values), 'ru')
const inRussian = (code: string, values?: Record<string, string | number>): string =>
  sayOfCore('English.', { code, ...(values && { values }) }, 'ru', format)

describe('what the core says', () => {
  it('has Russian words for every code that can reach the page', () => {
    expect(texts.length).toBeGreaterThan(150)
    const used = new Set(texts.flatMap(codesOf))
    expect(used.size).toBeGreaterThan(120)
    expect([...used].filter((code) => !Object.hasOwn(ru.codes, code)).toSorted()).toEqual([])
  })

  it('has them for every phase of the client, and knows the fixed sentences as the core writes them', () => {
    const all = texts.join('\n')
    // A phase is part of its code: `client-${phase}`.
    const phases = /export type ClientPhase = (.*)/.exec(all)?.[1]?.match(/[a-z-]+/g) ?? []
    expect(phases).toContain('authorizing')
    for (const phase of phases) if (phase !== 'ready') expect(ru.codes).toHaveProperty(`client-${phase}`)
    expect(Object.keys(ru.sentences).filter((sentence) => !all.includes(`'${sentence}'`))).toEqual([])
  })

  it('has them for every reason that pauses serving', () => {
    // Title and line are built: `pause-${reason}${variant}`.
    const built = [...pauseReasons, 'schedule-day', 'schedule-never']
    for (const reason of built) for (const end of ['', '-line']) expect(ru.codes).toHaveProperty(`pause-${reason}${end}`)
    expect(inRussian('pause-not-paying-line', { lossMicros: 50_000, currency: 'USD' })).toContain('на 0,05\u00a0$ больше')
    const until = (day: string): string => inRussian('pause-schedule-day', { day, until: '07:00' })
    expect([until('Tuesday'), until('Sunday')].map((text) => text.split(' до ')[1])).toEqual([
      'вторника, 07:00',
      'воскресенья, 07:00',
    ])
  })

  it('has them however many endpoints were asked for the registry', () => {
    for (const row of ['registry', 'software'])
      for (const end of ['listed', 'agreed', 'silent', 'partly']) expect(ru.codes).toHaveProperty(`check-${row}-${end}`)
    for (const code of ['endpoints-disagree', 'root-disputed']) expect(ru.codes).toHaveProperty(code)
  })

  it('is valid in every sentence', () => {
    for (const [code, message] of Object.entries(ru.codes)) {
      const names = [...message.matchAll(/\{\s*([A-Za-z]\w*)\s*[,}]/g)].map(([, name = '']) => name)
      const text = inRussian(code, Object.fromEntries(names.map((name) => [name, 1])))
      expect(text, code).not.toBe('English.')
      expect(text, code).not.toMatch(/[{}]/)
    }
  })

  it('fills places with amounts, times, counts and names', () => {
    expect(inRussian('above-credit', { neededNano: '6100000000', mostNano: '5000000000' })).toBe(
      'Прокси должен отложить 6,1\u00a0TON на вопрос такой длины, а залог этого счёта позволяет отложить 5\u00a0TON. Сократите текст или начните новый чат.',
    )
    expect(inRussian('context-too-small', { most: 8192 })).toContain('не больше 8\u202f192 токенов')
    expect(inRussian('refund-too-early', { afterMs: new Date(2026, 10, 22, 9, 5, 7).getTime() })).toMatch(/после 0?9:05:07/)
    expect(inRussian('not-found', { what: 'chat' })).toBe('Такого чата нет, возможно, он удалён.')
    expect(inRussian('model-missing', { model: 'a\u202Eb' })).toContain('Модели ab нет')
  })

  it('falls back to the sentence of the core: unknown code, or a value that did not come', () => {
    expect(inRussian('a-code-of-tomorrow')).toBe('English.')
    expect(inRussian('constructor')).toBe('English.')
    expect(inRussian('context-too-small')).toBe('English.')
    expect(sayOfCore('Payout', undefined, 'ru', format)).toBe('Выплата')
    expect(sayOfCore('Payout', undefined, 'en', format)).toBe('Payout')
    expect(sayOfCore('English.', { code: 'busy' }, 'en', format)).toBe('English.')
  })
})
