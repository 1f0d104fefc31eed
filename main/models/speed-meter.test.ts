import { describe, expect, it } from 'vitest'
import { SpeedMeter } from './speed-meter.ts'

describe('SpeedMeter', () => {
  it('measures the last seconds and reports not too often', () => {
    let now = 0
    const meter = new SpeedMeter(() => now)
    let reports = 0
    for (; now <= 10_000; now += 100) if (meter.add(now < 5000 ? now : 5000 + (now - 5000) * 4)) reports++
    expect(meter.bytesPerSecond).toBe(4000)
    expect(reports).toBeGreaterThan(40)
    expect(reports).toBeLessThan(60)
  })
  it('begins anew when the count falls', () => {
    let now = 0
    const meter = new SpeedMeter(() => now)
    meter.add(1000)
    now = 1000
    expect(meter.add(0)).toBe(true)
    expect(meter.bytesPerSecond).toBe(0)
  })
})
