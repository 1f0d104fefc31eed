/** Local midnight that begins the day of `nowMs`, or of `daysBack` days before it. Calendar days, so 23 and 25 hour days count as one. */
export function startOfLocalDay(nowMs: number, daysBack = 0): number {
  const now = new Date(nowMs)
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysBack).getTime()
}

/** Which of the 48 half hours of the wall clock a moment falls into. The hour that a clock change repeats shares its two places. */
export function halfHourOf(timeMs: number): number {
  const time = new Date(timeMs)
  return time.getHours() * 2 + (time.getMinutes() >= 30 ? 1 : 0)
}
