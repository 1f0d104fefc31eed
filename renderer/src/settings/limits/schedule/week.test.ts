import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits, weekHours } from '../../../../../preload/api/limits.ts'
import { dayHours, neighbour, painted, rangesOf, sameDays, scheduleFrom, weekDays, weekOf, withHours } from './week.ts'

const always = weekOf(null)
const anyWeek = fc.array(fc.boolean(), { minLength: weekHours, maxLength: weekHours })
const anyHour = fc.nat(weekHours - 1)
const on = (week: readonly boolean[]): number[] => week.flatMap((allowed, at) => (allowed ? [at] : []))

describe('a schedule', () => {
  it('is what the core takes, and none when no hour is off', () => {
    expect(scheduleFrom(always)).toBeNull()
    expect(scheduleFrom(painted(painted(always, 5, 5, false), 5, 5, true))).toBeNull()
    const none = scheduleFrom(painted(always, 0, weekHours - 1, false))
    expect(limits.shape.schedule.parse(none)).toEqual(new Array(weekHours).fill(false))
  })
})

describe('painting', () => {
  it('sets the rectangle between two corners, whichever they are, and nothing else', () => {
    // Tuesday to Thursday, 8 to 10 o'clock.
    const expected = [1, 2, 3].flatMap((day) => [8, 9].map((hour) => day * dayHours + hour))
    const off = painted(always, 0, weekHours - 1, false)
    for (const [from, to] of [
      [32, 81],
      [81, 32],
      [33, 80],
      [80, 33],
    ] as const)
      expect(on(painted(off, from, to, true))).toEqual(expected)
  })

  it('sets the hour it began at and the one it ended at, and painting it back leaves nothing set', () => {
    fc.assert(
      fc.property(anyWeek, anyHour, anyHour, fc.boolean(), (week, from, to, value) => {
        const next = painted(week, from, to, value)
        const off = painted(painted(next, from, to, true), from, to, false)
        return next[from] === value && next[to] === value && on(off).every((at) => week[at] || next[at])
      }),
    )
  })
})

describe('hours of days', () => {
  it('go on into the next day, and from Sunday into Monday', () => {
    const off = painted(always, 0, weekHours - 1, false)
    expect(on(withHours(off, [0], 8, 10, true))).toEqual([8, 9])
    expect(on(withHours(off, [0], 22, 2, true))).toEqual([22, 23, 24, 25])
    expect(on(withHours(off, [6], 23, 1, true))).toEqual([0, 6 * dayHours + 23])
    expect(on(withHours(off, [1], 0, 0, true))).toEqual(Array.from({ length: dayHours }, (_, hour) => dayHours + hour))
  })

  it('are told whole: the list says the same hours as the grid', () => {
    fc.assert(
      fc.property(anyWeek, (week) => {
        const told = sameDays(week).flatMap(({ first, last, ranges }) =>
          weekDays
            .filter((day) => day >= first && day <= last)
            .flatMap((day) =>
              ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, n) => day * dayHours + from + n)),
            ),
        )
        expect(told.toSorted((a, b) => a - b)).toEqual(on(week))
      }),
    )
    expect(rangesOf(always, 3)).toEqual([{ from: 0, to: dayHours }])
    expect(sameDays(withHours(always, [5, 6], 0, 0, false)).map(({ first, last }) => [first, last])).toEqual([
      [0, 4],
      [5, 6],
    ])
  })
})

it('arrows stay within the week', () => {
  const from = (at: number): unknown =>
    ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'a'].map((key) => neighbour(at, key))
  expect(from(0)).toEqual([0, 1, 0, 24, 0, 23, undefined])
  expect(from(weekHours - 1)).toEqual([166, 167, 143, 167, 144, 167, undefined])
})
