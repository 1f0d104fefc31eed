import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { hourOfWeek, weekHours } from '../../preload/api/limits.ts'
import { nextAllowedMs } from './schedule.ts'

const zone = process.env.TZ
const inZone = (name: string): void => {
  process.env.TZ = name
}
const back = (): void => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
}
afterEach(back)
afterAll(back)

/** Days from Monday. */
const only = (...hours: ReadonlyArray<readonly [day: number, hour: number]>): boolean[] =>
  Array.from({ length: weekHours }, (_, at) => hours.some(([day, hour]) => day * 24 + hour === at))
const next = (schedule: boolean[], from: string): string | null => {
  const at = nextAllowedMs(schedule, Date.parse(from))
  return at === null ? null : new Date(at).toISOString()
}

describe('hourOfWeek', () => {
  it.each([
    [new Date(2026, 10, 23, 0, 0), 0],
    [new Date(2026, 10, 25, 14, 30), 2 * 24 + 14],
    [new Date(2026, 10, 29, 23, 59), 167],
  ])('%s', (when, hour) => expect(hourOfWeek(when)).toBe(hour))
})

describe('the next hour of a schedule', () => {
  it('is the begin of an hour, today, on another day, or a week later', () => {
    inZone('Europe/Berlin')
    // A Wednesday, 14:30 in Berlin.
    const now = '2026-11-25T13:30:00Z'
    expect(next(only([2, 23]), now)).toBe('2026-11-25T22:00:00.000Z')
    expect(next(only([5, 0]), now)).toBe('2026-11-27T23:00:00.000Z')
    expect(next(only([2, 13]), now)).toBe('2026-12-02T12:00:00.000Z')
    expect(next(only(), now)).toBeNull()
  })

  it('does not come on the day on which the clock skips it', () => {
    inZone('Europe/Berlin')
    // On 29 March 2026, a Sunday, 3 o'clock follows on 1:59.
    expect(next(only([6, 2]), '2026-03-28T12:00:00Z')).toBe('2026-04-05T00:00:00.000Z')
    expect(next(only([6, 2], [6, 3]), '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:00:00.000Z')
  })

  it('counts twice when the clock repeats it', () => {
    inZone('Europe/Berlin')
    // On 25 October 2026, a Sunday, the clock shows 2 o'clock at 0:00 and again at 1:00 UTC.
    const schedule = only([6, 2])
    expect(next(schedule, '2026-10-24T12:00:00Z')).toBe('2026-10-25T00:00:00.000Z')
    for (const time of ['00:30', '01:30']) expect(schedule[hourOfWeek(new Date(`2026-10-25T${time}:00Z`))]).toBe(true)
    for (const time of ['2026-10-24T23:59:00Z', '2026-10-25T02:00:00Z']) expect(schedule[hourOfWeek(new Date(time))]).toBe(false)
  })

  it('follows zones whose hours begin at a quarter, and changes of half an hour', () => {
    inZone('Asia/Kathmandu')
    expect(next(only([2, 23]), '2026-11-25T13:30:00Z')).toBe('2026-11-25T17:15:00.000Z')
    inZone('Australia/Lord_Howe')
    // On 4 October 2026 half an hour is skipped: 2:30 follows on 1:59.
    expect(next(only([6, 2]), '2026-10-03T12:00:00Z')).toBe('2026-10-03T15:30:00.000Z')
  })

  it('is allowed, and nothing between now and it, in every zone and at every time', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Apia', 'UTC']
    const week = fc.array(fc.boolean(), { minLength: weekHours, maxLength: weekHours })
    const sparse = fc.array(fc.nat(weekHours - 1), { minLength: 1, maxLength: 3 }).map((allowed) => {
      const hours = new Array<boolean>(weekHours).fill(false)
      for (const hour of allowed) hours[hour] = true
      return hours
    })
    const time = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) })
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.oneof(sparse, week), time, (name, schedule, nowMs) => {
        inZone(name)
        const allowedAt = (ms: number): boolean => schedule[hourOfWeek(new Date(ms))] === true
        fc.pre(!allowedAt(nowMs))
        const at = nextAllowedMs(schedule, nowMs)
        if (at === null) return !schedule.includes(true)
        for (let ms = nowMs; ms < at; ms += 60_000) if (allowedAt(ms)) return false
        return at > nowMs && allowedAt(at) && !allowedAt(at - 1)
      }),
      { numRuns: 60 },
    )
  })
})
