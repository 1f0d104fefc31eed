import { type Limits, weekHours } from '../../../../../preload/api/limits.ts'

/** 168 hours from Monday 0 o'clock by the local clock: true = may earn. */
export type Week = readonly boolean[]

export const dayHours = 24
/** From Monday. */
export const weekDays = [0, 1, 2, 3, 4, 5, 6] as const

const everyHour: Week = new Array<boolean>(weekHours).fill(true)

export const weekOf = (schedule: Limits['schedule']): Week => schedule ?? everyHour

/** A week without a pause is no schedule. */
export const scheduleFrom = (week: Week): Limits['schedule'] => (week.every(Boolean) ? null : [...week])

const between = (value: number, a: number, b: number): boolean => value >= Math.min(a, b) && value <= Math.max(a, b)

/** The week with a rectangle of days and hours set, of which two opposite corners are given as hours of the week. */
export function painted(week: Week, from: number, to: number, value: boolean): Week {
  const day = (at: number): number => Math.floor(at / dayHours)
  return week.map((was, at) =>
    between(day(at), day(from), day(to)) && between(at % dayHours, from % dayHours, to % dayHours) ? value : was,
  )
}

/** The week with hours of the given days set. Hours that end at their begin or before it go on into the next day. */
export function withHours(week: Week, days: readonly number[], from: number, to: number, value: boolean): Week {
  const count = ((to - from + dayHours - 1) % dayHours) + 1
  const next = [...week]
  for (const day of days) for (let hour = 0; hour < count; hour++) next[(day * dayHours + from + hour) % weekHours] = value
  return next
}

/** Hours of one day, `to` not among them: 0 to 24. */
export interface HourRange {
  readonly from: number
  readonly to: number
}

/** What of a day may earn, in its order. */
export function rangesOf(week: Week, day: number): readonly HourRange[] {
  const hours = week.slice(day * dayHours, (day + 1) * dayHours)
  return hours.flatMap((on, from) => {
    if (!on || hours[from - 1]) return []
    const end = hours.indexOf(false, from)
    return [{ from, to: end === -1 ? dayHours : end }]
  })
}

/** Neighbouring days of the same hours. */
export interface SameDays {
  readonly first: number
  readonly last: number
  readonly ranges: readonly HourRange[]
}

export function sameDays(week: Week): readonly SameDays[] {
  const groups: SameDays[] = []
  for (const day of weekDays) {
    const ranges = rangesOf(week, day)
    const before = groups.at(-1)
    if (before && JSON.stringify(before.ranges) === JSON.stringify(ranges)) groups[groups.length - 1] = { ...before, last: day }
    else groups.push({ first: day, last: day, ranges })
  }
  return groups
}

/** Where an arrow key leads to from an hour; the same hour at the edge. */
export function neighbour(at: number, key: string): number | undefined {
  const hour = at % dayHours
  switch (key) {
    case 'ArrowRight':
      return hour === dayHours - 1 ? at : at + 1
    case 'ArrowLeft':
      return hour === 0 ? at : at - 1
    case 'ArrowDown':
      return at + dayHours < weekHours ? at + dayHours : at
    case 'ArrowUp':
      return at >= dayHours ? at - dayHours : at
    case 'Home':
      return at - hour
    case 'End':
      return at - hour + dayHours - 1
    default:
      return undefined
  }
}
