import { describe, expect, it } from 'vitest'
import { defaultLimits, limits } from '../../../../preload/api/limits.ts'
import { presetNames, presetOf, presets, scheduleNames, scheduleOf, schedules } from './presets.ts'

describe('presets', () => {
  it('are what they were chosen as, and nothing else', () => {
    for (const name of presetNames) {
      const chosen = { ...defaultLimits, ...presets[name] }
      expect([limits.parse(chosen), presetOf(chosen)]).toEqual([chosen, name])
    }
    expect(presetOf(defaultLimits)).toBe('balanced')
    expect(presetOf({ ...defaultLimits, onBattery: false })).toBeUndefined()
    // The times of the memory are no part of them.
    expect(presetOf({ ...defaultLimits, graceMs: 0, idleUnloadMinutes: 0 })).toBe('balanced')
  })
})

describe('schedules', () => {
  it('are told apart, and hold the hours that they are named after', () => {
    for (const name of scheduleNames) expect(scheduleOf(schedules[name])).toBe(name)
    expect(scheduleOf(new Array<boolean>(168).fill(true))).toBeUndefined()
    const allowed = (name: 'night' | 'weekend'): number => schedules[name]?.filter(Boolean).length ?? 0
    expect([allowed('night'), allowed('weekend')]).toEqual([70, 48])
    expect([schedules.weekend?.[0], schedules.weekend?.[119], schedules.weekend?.[120], schedules.night?.[8]]).toEqual([
      false,
      false,
      true,
      false,
    ])
  })
})
