import { describe, expect, it } from 'vitest'
import { chatGroup } from './date.ts'
import { splitBytes, splitDuration } from './measure.ts'
import { groupedAddress, shortAddress, shortHash } from './names.ts'
import { formatCount, formatDecimal, formatMeasured, formatPercent } from './number.ts'
import { columnTon, csvTon, exactTon, figureTon } from './ton.ts'

describe('numbers', () => {
  it('group with a narrow no-break space from one thousand, in both languages', () => {
    expect(formatCount(999)).toBe('999')
    expect(formatCount(1_904)).toBe('1\u202F904')
    expect(formatCount(1_234_567)).toBe('1\u202F234\u202F567')
    expect(formatDecimal(12_345.678, 2, 'ru')).toBe('12\u202F345,68')
  })

  it('use the real minus, but not before nothing', () => {
    expect(formatCount(-1_500)).toBe('\u22121\u202F500')
    expect(formatDecimal(-0.001, 2, 'en')).toBe('0.00')
    expect(formatDecimal(-0.07, 2, 'en')).toBe('\u22120.07')
  })

  it('show one decimal below ten and none from ten', () => {
    expect(formatMeasured(9.94, 'en')).toBe('9.9')
    expect(formatMeasured(9.96, 'en')).toBe('10')
    expect(formatMeasured(58.4, 'en')).toBe('58')
    expect(formatMeasured(4.21, 'ru')).toBe('4,2')
  })

  it('join the percent sign as the language does', () => {
    expect(formatPercent(78.4, 'en')).toBe('78%')
    expect(formatPercent(78.4, 'ru')).toBe('78\u00A0%')
  })
})

describe('Toncoin', () => {
  it('exact: up to nine decimals without trailing zeros', () => {
    expect(exactTon(126_080n, 'en')).toBe('0.00012608')
    expect(exactTon(12_000_000_000n, 'en')).toBe('12')
    expect(exactTon(1n, 'ru')).toBe('0,000000001')
    expect(exactTon(-1_234_500_000_000n, 'en')).toBe('\u22121\u202F234.5')
    expect(exactTon(123_456_789_012_345_678_901n, 'en')).toBe('123\u202F456\u202F789\u202F012.345678901')
  })

  it('column: always nine decimals', () => {
    expect(columnTon(127_500_000n, 'en')).toBe('0.127500000')
    expect(columnTon(0n, 'ru')).toBe('0,000000000')
  })

  it('figure: three decimals from 0.1, else three significant digits', () => {
    expect(figureTon(412_000_000n, 'en')).toBe('0.412')
    expect(figureTon(170_000_000n, 'en')).toBe('0.170')
    expect(figureTon(31_072_999_999n, 'en')).toBe('31.072')
    expect(figureTon(41_234_567n, 'en')).toBe('0.0412')
    expect(figureTon(126_080n, 'en')).toBe('0.000126')
    expect(figureTon(7n, 'en')).toBe('0.000000007')
    expect(figureTon(0n, 'en')).toBe('0')
    expect(figureTon(5_000_000n, 'en')).toBe('0.005')
  })

  it('figure: down for what one has, up for what one pays, also over a border', () => {
    expect(figureTon(412_000_001n, 'en', 'down')).toBe('0.412')
    expect(figureTon(412_000_001n, 'en', 'up')).toBe('0.413')
    expect(figureTon(99_999_999n, 'en', 'down')).toBe('0.0999')
    expect(figureTon(99_999_999n, 'en', 'up')).toBe('0.100')
    expect(figureTon(9_999_999n, 'en', 'up')).toBe('0.01')
    expect(figureTon(-4_100_000n, 'en', 'up')).toBe('\u22120.0041')
  })

  it('for other programs: point and plain minus', () => {
    expect(csvTon(-4_100_000n)).toBe('-0.0041')
    expect(csvTon(1_234_000_000_000n)).toBe('1234')
  })
})

describe('measures', () => {
  it('bytes count in thousands and show one decimal from GB up', () => {
    expect(splitBytes(0, 'en')).toEqual({ value: '0', unit: 'B' })
    expect(splitBytes(94_300_000, 'en')).toEqual({ value: '94', unit: 'MB' })
    expect(splitBytes(999_600_000, 'en')).toEqual({ value: '1.0', unit: 'GB' })
    expect(splitBytes(11_610_000_000, 'ru')).toEqual({ value: '11,6', unit: 'GB' })
  })

  it('durations show their two largest units', () => {
    expect(splitDuration(4_230, 'en')).toEqual({ form: 'seconds', seconds: '4.2' })
    expect(splitDuration(42_300, 'en')).toEqual({ form: 'seconds', seconds: '42' })
    expect(splitDuration(59_700, 'en')).toEqual({ form: 'minutes', minutes: '1' })
    expect(splitDuration(120_000, 'en')).toEqual({ form: 'minutes', minutes: '2' })
    expect(splitDuration(22_320_000, 'en')).toEqual({ form: 'hours', hours: '6', minutes: '12' })
  })
})

describe('hashes, addresses, days', () => {
  it('shorten what is long and leave what is short', () => {
    expect(shortHash('a'.repeat(12) + 'b'.repeat(40) + 'c'.repeat(12))).toBe('aaaaaaaaaaaa…cccccccccccc')
    expect(shortHash('short')).toBe('short')
    expect(shortAddress('UQDk0123456789e7Rm')).toBe('UQDk…e7Rm')
    expect(groupedAddress('UQBq7c4Dk2')).toEqual(['UQBq', '7c4D', 'k2'])
  })

  it('put chats into groups by local days', () => {
    const now = new Date(2026, 10, 22, 0, 30).getTime()
    expect(chatGroup(now - 3_600_000, now)).toBe('week')
    expect(chatGroup(now - 60_000, now)).toBe('today')
    expect(chatGroup(new Date(2026, 10, 16, 0, 0).getTime(), now)).toBe('week')
    expect(chatGroup(new Date(2026, 10, 15, 23, 59).getTime(), now)).toBe('older')
  })
})
