import { describe, expect, it } from 'vitest'
import { chartScale, share } from './chart-scale.ts'

describe('the axis of the chart', () => {
  it('has a round step and at most four of them', () => {
    expect(chartScale([16_000_000n])).toEqual({ top: 20_000_000n, step: 5_000_000n })
    expect(chartScale([127_500_000n, 3n])).toEqual({ top: 150_000_000n, step: 50_000_000n })
    expect(chartScale([4n])).toEqual({ top: 4n, step: 1n })
  })

  it('stands also when nothing was earned', () => {
    const { top } = chartScale([0n, 0n])
    expect(top).toBeGreaterThan(0n)
    expect(share(0n, top)).toBe(0)
  })

  it('gives shares of the top without losing large amounts', () => {
    expect(share(5n, 20n)).toBeCloseTo(0.25)
    expect(share(99_999_999_999_999_999_999n, 100_000_000_000_000_000_000n)).toBeCloseTo(1, 6)
  })
})
