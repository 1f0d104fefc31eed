import { describe, expect, it } from 'vitest'
import { isolated, plainLabel, visibleCode, withPlainLabels } from './plain-label.ts'

describe('a label', () => {
  it('holds nothing that turns a line around or is not seen', () => {
    expect(plainLabel('invoice\u202Efdp.exe')).toBe('invoicefdp.exe')
    expect(plainLabel('\u2066a\u2067b\u2068c\u2069\u200E\u200F\u061C')).toBe('abc')
    expect(plainLabel('pay\u200Bpal\uFEFF \u2060\u00ADx\u{E0041}')).toBe('paypal x')
    expect(plainLabel('red\u001B[31m\u0000\u009Bm')).toBe('red[31mm')
    expect(plainLabel('one\u2028two')).toBe('one two')
    expect(plainLabel('a\u200Db\u200Cc 1\u200D2 \u200D\u200C')).toBe('abc 12 ')
  })

  it('stays readable in every script', () => {
    for (const text of [
      'שלום עולם 12',
      'مرحبا بالعالم',
      // Persian and Hindi spell with joiners, emoji are joined of several.
      'می\u200Cخواهم',
      'क्\u200Dष',
      '👩\u200D👩\u200D👧 👍🏽 ❤\uFE0F\u200D🔥',
      'Здравствуй, мир: 1\u202F000\u00A0TON',
      'e\u0301 ü ﬁ 日本語',
    ])
      expect(plainLabel(text)).toBe(text)
  })

  it('of another direction keeps its place inside a sentence', () => {
    expect(isolated('שלום \u202Ex')).toBe('\u2068שלום x\u2069')
    expect(isolated('plain')).toBe('plain')
  })
})

it('a value of the core has plain labels, and its message bodies as they came', () => {
  const turn = { model: 'a\u202Eb', question: 'q\u202E', tokens: 3, cost: 5n, error: { message: 'no\u200B' }, list: ['x\u2067'] }
  expect(withPlainLabels(turn, new Set(['question']))).toEqual({
    model: 'ab',
    question: 'q\u202E',
    tokens: 3,
    cost: 5n,
    error: { message: 'no' },
    list: ['x'],
  })
})

it('code shows what is hidden in it', () => {
  expect(visibleCode('if (admin\u202E) {\u200B}')).toBe('if (admin[U+202E]) {[U+200B]}')
})
