import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { electricityUse, noPrices, type Prices } from '../../preload/api/electricity.ts'
import { netOf } from './net.ts'

const dollars: Prices = {
  power: { currency: 'USD', perKwhMicros: 170_000 },
  ton: { micros: 1_580_000, statedAtMs: 1 },
  pauseWhenNotPaying: false,
}
const hour = 3_600_000
/** 214 W for an hour, of which 21 W at rest. */
const anHour = { servingMs: hour, measuredMs: hour, drawnJ: 214 * 3_600, restJ: 21 * 3_600 }
const nothing = { servingMs: 0, measuredMs: 0, drawnJ: 0, restJ: 0 }

describe('netOf', () => {
  it('takes what is above rest from the socket through a supply of nine tenths', () => {
    const use = netOf(anHour, 412_000_000n, dollars, 'mainnet')
    // (214 - 21) / 0.9 = 214.44 Wh, at 0.17 USD: 3.6455… cents. 0.412 TON at 1.58 USD: 65.096 cents.
    expect(use.socketJ / 3_600).toBeCloseTo(214.444, 3)
    expect(use).toMatchObject({ costMicros: 36_456, worthMicros: 650_960, netMicros: 614_504 })
  })

  it('knows no cost without a price, or while nothing was measured, and then no net', () => {
    expect(netOf(anHour, 1n, { ...dollars, power: null }, 'mainnet')).toMatchObject({ costMicros: null, netMicros: null })
    const unmeasured = { ...nothing, servingMs: hour }
    expect(netOf(unmeasured, 1n, dollars, 'mainnet')).toMatchObject({ costMicros: null, netMicros: null })
    // An unmeasured moment leaves what was measured: it cost that at least.
    expect(netOf({ ...anHour, servingMs: hour + 1 }, 0n, dollars, 'mainnet')).toMatchObject({
      costMicros: 36_456,
      netMicros: -36_456,
    })
    expect(netOf(anHour, 1n, { ...dollars, ton: null }, 'mainnet')).toMatchObject({
      ...{ costMicros: 36_456, worthMicros: null, netMicros: null },
    })
    expect(netOf(nothing, 0n, noPrices, 'mainnet')).toMatchObject({ costMicros: null, worthMicros: null })
    expect(netOf(nothing, 0n, dollars, 'mainnet')).toMatchObject({ costMicros: 0, worthMicros: 0, netMicros: 0 })
  })

  it('gives test coins no worth, whatever the owner says of a TON', () => {
    for (const network of ['local', 'testnet'] as const) {
      expect(netOf(anHour, 10n ** 12n, dollars, network)).toMatchObject({ worthMicros: 0, netMicros: -36_456 })
      expect(netOf(anHour, 10n ** 12n, { ...dollars, ton: null }, network).netMicros).toBe(-36_456)
    }
  })

  it('adds up: two times apart cost and earn what they do together, to a millionth of the currency each', () => {
    const energy = fc
      .record({
        ms: fc.integer({ min: 0, max: hour }),
        restW: fc.double({ min: 0, max: 90, noNaN: true }),
        moreW: fc.double({ min: 0, max: 600, noNaN: true }),
      })
      .map(({ ms, restW, moreW }) => ({
        ...{ servingMs: ms, measuredMs: ms },
        ...{ drawnJ: ((restW + moreW) * ms) / 1_000, restJ: (restW * ms) / 1_000 },
      }))
    const nano = fc.bigInt({ min: 0n, max: 10n ** 13n })
    const told = fc.record({
      perKwhMicros: fc.integer({ min: 1, max: 10_000_000 }),
      micros: fc.integer({ min: 1, max: 100_000_000 }),
    })
    fc.assert(
      fc.property(energy, energy, nano, nano, told, (a, b, m, n, { perKwhMicros, micros }) => {
        const prices: Prices = { ...dollars, power: { currency: 'EUR', perKwhMicros }, ton: { micros, statedAtMs: 1 } }
        const sum = {
          servingMs: a.servingMs + b.servingMs,
          measuredMs: a.measuredMs + b.measuredMs,
          drawnJ: a.drawnJ + b.drawnJ,
          restJ: a.restJ + b.restJ,
        }
        const [first, second, both] = [
          netOf(a, m, prices, 'mainnet'),
          netOf(b, n, prices, 'mainnet'),
          netOf(sum, m + n, prices, 'mainnet'),
        ]
        expect(
          Math.abs((first.costMicros ?? Number.NaN) + (second.costMicros ?? Number.NaN) - (both.costMicros ?? Number.NaN)),
        ).toBeLessThanOrEqual(2)
        expect(
          (both.worthMicros ?? Number.NaN) - (first.worthMicros ?? Number.NaN) - (second.worthMicros ?? Number.NaN),
        ).toBeOneOf([0, 1])
        expect(both.netMicros).toBe((both.worthMicros ?? Number.NaN) - (both.costMicros ?? Number.NaN))
        electricityUse.parse(both)
      }),
    )
  })
})
