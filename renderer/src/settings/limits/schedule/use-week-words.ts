import { useMemo } from 'react'
import { useFormat } from '../../../format/use-format.ts'
import { useTexts } from '../../../messages/texts.tsx'
import { dayHours, type SameDays } from './week.ts'

interface WeekWords {
  /** By the system's clock: "08:00" or "8:00 AM". Hour 24 is the midnight that ends a day. */
  hour(hour: number): string
  /** Days from Monday. */
  shortDay(day: number): string
  day(day: number): string
  /** "Mon–Fri" */
  days(same: SameDays): string
  /** "00:00–08:00, 22:00–00:00" */
  ranges(same: SameDays): string
}

/** A Monday, as good as any. */
const monday = (day: number, hour = 0): Date => new Date(2026, 0, 5 + day, hour)

export function useWeekWords(): WeekWords {
  const { t, language } = useTexts()
  const format = useFormat()
  return useMemo(() => {
    const short = new Intl.DateTimeFormat(language, { weekday: 'short' })
    const long = new Intl.DateTimeFormat(language, { weekday: 'long' })
    const hour = (at: number): string => format.clock(monday(0, at % dayHours).getTime())
    const shortDay = (day: number): string => short.format(monday(day))
    return {
      hour,
      shortDay,
      day: (day) => long.format(monday(day)),
      days: ({ first, last }) =>
        first === last ? shortDay(first) : t('schedule.span', { from: shortDay(first), to: shortDay(last) }),
      ranges: ({ ranges }) => {
        if (ranges.length === 0) return t('schedule.off')
        if (ranges[0]?.from === 0 && ranges[0].to === dayHours) return t('schedule.allDay')
        return ranges.map(({ from, to }) => t('schedule.span', { from: hour(from), to: hour(to) })).join(', ')
      },
    }
  }, [t, format, language])
}
