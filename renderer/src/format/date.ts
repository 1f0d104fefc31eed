export type ChatGroup = 'today' | 'week' | 'older'

const startOfDay = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0)

/** Group of a chat in the list, by local days: today, the six days before it, older. */
export function chatGroup(updatedAtMs: number, nowMs: number): ChatGroup {
  const today = startOfDay(nowMs)
  if (updatedAtMs >= today) return 'today'
  const weekAgo = new Date(today)
  weekAgo.setDate(weekAgo.getDate() - 6)
  return updatedAtMs >= weekAgo.getTime() ? 'week' : 'older'
}

/** 12 or 24 hours as the system is set, whatever the app's language is. */
const hourCycle = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions().hourCycle ?? 'h23'

/** Time of day by the system's clock. */
export function clock(ms: number, locale: string, seconds = false): string {
  return new Intl.DateTimeFormat(locale, {
    hour: hourCycle === 'h12' || hourCycle === 'h11' ? 'numeric' : '2-digit',
    minute: '2-digit',
    ...(seconds && { second: '2-digit' }),
    hourCycle,
  }).format(ms)
}

/** Day, month and time; the year only when it is not this one. */
export function dateTime(ms: number, locale: string, nowMs: number): string {
  const sameYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear()
  const day = new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'short',
    ...(!sameYear && { year: 'numeric' }),
  }).format(ms)
  return `${day}, ${clock(ms, locale)}`
}
