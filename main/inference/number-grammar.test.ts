import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { integersWithin, numbersWithin } from './number-grammar.ts'
import { lets } from './testing/lets.ts'

const below = 10 ** 16
const bound = fc.record({
  value: fc.oneof(
    fc.integer({ min: -30, max: 30 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(1e15, 1e16, -1e16, 1.7e308, -1.7e308),
  ),
  isOpen: fc.boolean(),
})
const end = fc.option(bound, { nil: undefined })
type End = { value: number; isOpen: boolean } | undefined

const isWithin = (value: number, low: End, high: End): boolean =>
  (low === undefined || (low.isOpen ? value > low.value : value >= low.value)) &&
  (high === undefined || (high.isOpen ? value < high.value : value <= high.value))

/** A value near the bounds as often as a far one. */
const near = (low: End, high: End) =>
  fc.oneof(
    fc.integer({ min: -40, max: 40 }),
    fc.maxSafeInteger(),
    ...[low, high].flatMap((one) =>
      one === undefined || Math.abs(one.value) >= below ? [] : fc.integer({ min: -2, max: 2 }).map((step) => one.value + step),
    ),
  )
const range = fc
  .tuple(end, end)
  .chain(([low, high]) => fc.record({ low: fc.constant(low), high: fc.constant(high), value: near(low, high) }))

describe('grammars of numbers between bounds', () => {
  it('lets exactly the whole numbers between the bounds through', () => {
    fc.assert(
      fc.property(range, ({ low, high, value }) => {
        const isLet = lets(integersWithin(low, high), String(value === 0 ? 0 : value))
        expect(isLet).toBe(isWithin(value, low, high))
      }),
      { numRuns: 3_000 },
    )
  })

  it('rounds bounds with a fraction to the whole numbers between them', () => {
    const found = integersWithin({ value: -1.5, isOpen: false }, { value: 2.5, isOpen: true })
    expect([-2, -1, 0, 1, 2, 3].filter((value) => lets(found, String(value)))).toEqual([-1, 0, 1, 2])
  })

  it('lets numbers with a fraction through that are between whole bounds, and none beside', () => {
    fc.assert(
      fc.property(range, fc.stringMatching(/^[0-9]{1,14}$/), fc.boolean(), ({ low, high, value }, fraction, isNegative) => {
        const text = `${isNegative && value >= 0 ? '-' : ''}${value === 0 ? 0 : value}.${fraction}`
        if (lets(numbersWithin(low, high), text)) expect(isWithin(Number(text), low, high)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
    const ratio = numbersWithin({ value: 0, isOpen: true }, { value: 1, isOpen: false })
    const texts = ['0', '0.0', '0.01', '0.5', '1', '1.0', '1.01', '-0.5', '.5', '1.', '01']
    expect(texts.filter((text) => lets(ratio, text))).toEqual(['0.01', '0.5', '1', '1.0'])
    const cold = numbersWithin(undefined, { value: -2, isOpen: true })
    expect(['-1.9', '-2', '-2.0', '-2.5', '-3', '-31.25', '2.5'].filter((text) => lets(cold, text))).toEqual([
      '-2.5',
      '-3',
      '-31.25',
    ])
  })

  it('tells by an empty list that there is none', () => {
    const [two, three] = [
      { value: 2, isOpen: true },
      { value: 3, isOpen: true },
    ]
    expect(integersWithin(two, three)).toEqual([])
    expect(integersWithin(three, two)).toEqual([])
    expect(numbersWithin(three, two)).toEqual([])
    expect(integersWithin({ value: 1e300, isOpen: false }, undefined)).toEqual([])
    expect(numbersWithin({ value: 1e300, isOpen: false }, undefined)).toEqual([])
    expect(numbersWithin(two, three)).not.toEqual([])
  })
})
