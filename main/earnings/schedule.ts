import { hourOfWeek, type Limits } from '../../preload/api/limits.ts'
import { quarterMs } from './quarter.ts'

/** A week, and another one for an hour that a change of the clock skips in the first, and a day for the change itself. */
const quartersAhead = 15 * 24 * 4

/**
 * When the schedule allows serving again, in Unix ms, asked in an hour that it does not allow. It follows the local clock as it goes: an hour that a change of the clock skips does not come, one
 * that it repeats counts twice. Null when no hour is allowed.
 */
export function nextAllowedMs(schedule: NonNullable<Limits['schedule']>, nowMs: number): number | null {
  if (!schedule.includes(true)) return null
  const from = Math.floor(nowMs / quarterMs) + 1
  for (let quarter = from; quarter < from + quartersAhead; quarter++)
    if (schedule[hourOfWeek(new Date(quarter * quarterMs))]) return quarter * quarterMs
  return null
}
