import { describe, expect, it } from 'vitest'
import { ReconnectPace } from './reconnect-pace.ts'

describe('the pause before the next attempt', () => {
  it('doubles with each failure up to the longest, and begins anew after a good connection', () => {
    const pace = new ReconnectPace(10_000, () => 1)
    const pauses = [0, 0, 0, 900, 0, 0].map((goodMs) => pace.ended(goodMs))
    expect(pauses).toEqual([625, 1_250, 2_500, 5_000, 10_000, 10_000])
    expect(pace.failures).toBe(6)
    expect([pace.ended(1_001), pace.failures]).toEqual([625, 1])
  })

  it('is spread between half of it and all of it', () => {
    expect(new ReconnectPace(1_600, () => 0).ended(0)).toBe(50)
    expect(new ReconnectPace(1_600, () => 0.5).ended(0)).toBe(75)
  })
})
