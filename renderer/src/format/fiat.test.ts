import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatFiat, formatPrice, parsePrice, typedPrice } from './fiat.ts'

describe('money of the world', () => {
  it('has two decimals, below a hundredth four, the real minus and narrow groups', () => {
    const usd = (micros: number) => formatFiat(micros, 'USD', 'en')
    expect([650_000, 200, 0, -70_000, -212, 1_234_567_000_000].map(usd)).toEqual([
      ...['$0.65', '$0.0002', '$0.00', '\u2212$0.07', '\u2212$0.0002', '$1\u202f234\u202f567.00'],
    ])
    expect(formatFiat(650_000, 'RUB', 'ru')).toBe('0,65\u00a0₽')
    expect(formatFiat(12_000_000, 'JPY', 'en')).toBe('¥12')
  })

  it('prices keep their decimals', () => {
    expect([170_000, 174_500, 12_000_000].map((micros) => formatPrice(micros, 'EUR', 'en'))).toEqual([
      '€0.17',
      '€0.1745',
      '€12.00',
    ])
  })
})

describe('a typed price', () => {
  const english = (text: string): number | null => parsePrice(text, 'en')
  const russian = (text: string): number | null => parsePrice(text, 'ru')

  it('is more than nothing, with the decimal sign of the language', () => {
    expect(['0.17', ' 1 200 ', '0.000001', '0.125', '25000'].map(english)).toEqual([170_000, 1_200_000_000, 1, 125_000, 25e9])
    expect(['0,17', '0,125', '6,5'].map(russian)).toEqual([170_000, 125_000, 6_500_000])
    const wrong = ['', '0', '0.0', '-1', '1.2.3', 'abc', '1e3', '0.0000001', '.5', '5.']
    expect(wrong.map(english)).toEqual(wrong.map(() => null))
  })

  it('is none where a sign may stand for thousands', () => {
    expect(['25,000', '25.000', '1,5', '1,250.50', '1.125'].map(english)).toEqual(new Array(5).fill(null))
    expect(['25.000', '25,000', '1.5', '1.250,50'].map(russian)).toEqual(new Array(4).fill(null))
    expect([typedPrice(1_125_000, 'en'), typedPrice(125_000, 'ru'), english('1.1250')]).toEqual(['1.1250', '0,125', 1_125_000])
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer({ min: 1, max: 999_999_999_999 }),
          fc.integer({ min: 1, max: 999_999 }).map((n) => n * 1_000),
        ),
        fc.constantFrom('en', 'ru'),
        (micros, language) => {
          expect(parsePrice(typedPrice(micros, language), language)).toBe(micros)
        },
      ),
    )
  })
})
