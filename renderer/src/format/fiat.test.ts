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
  it('is more than nothing, with a point or a comma', () => {
    expect(['0.17', '0,17', ' 1 200 ', '0.000001'].map(parsePrice)).toEqual([170_000, 170_000, 1_200_000_000, 1])
    expect(['', '0', '0.0', '-1', '1.2.3', 'abc', '1e3', '0.0000001', '.5'].map(parsePrice)).toEqual(new Array(9).fill(null))
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999_999 }), fc.constantFrom('en', 'ru'), (micros, language) => {
        expect(parsePrice(typedPrice(micros, language))).toBe(micros)
      }),
    )
  })
})
