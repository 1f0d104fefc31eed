import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import { hourOfWeek } from '../../../../../preload/api/limits.ts'
import { useTexts } from '../../../messages/texts.tsx'
import { useWeekWords } from './use-week-words.ts'
import { dayHours, neighbour, painted, type Week, weekDays } from './week.ts'

/** A rectangle that is being drawn: it takes what the hour that it began at was not. */
interface Stroke {
  readonly from: number
  readonly to: number
  readonly value: boolean
}

const hours = Array.from({ length: dayHours }, (_, hour) => hour)
/** Of the hours above the grid, each so-manieth is written. */
const labelEach = 4

/** The hour of the week that is now, kept up to date. */
function useHourNow(): number {
  const [now, setNow] = useState(() => hourOfWeek(new Date()))
  useEffect(() => {
    const timer = setInterval(() => setNow(hourOfWeek(new Date())), 10_000)
    return () => clearInterval(timer)
  }, [])
  return now
}

/**
 * The week as a grid: dragged over, a rectangle of hours is painted; arrow keys move, Space switches an hour, Shift with an arrow carries on what the
 * hour before is, and Escape gives up what is being dragged.
 */
export function ScheduleGrid({ week, describedBy, onChange }: { week: Week; describedBy: string; onChange(week: Week): void }) {
  const { t } = useTexts()
  const words = useWeekWords()
  const grid = useRef<HTMLTableElement>(null)
  const [active, setActive] = useState(0)
  const [stroke, setStroke] = useState<Stroke | null>(null)
  const now = useHourNow()
  const shown = stroke ? painted(week, stroke.from, stroke.to, stroke.value) : week

  const focus = (at: number): void => {
    setActive(at)
    grid.current?.querySelector<HTMLElement>(`[data-at="${at}"]`)?.focus()
  }
  const begin = (event: PointerEvent): void => {
    const at = hourAt(event)
    if (at === undefined || event.button !== 0) return
    // Else the browser selects text.
    event.preventDefault()
    grid.current?.setPointerCapture(event.pointerId)
    setStroke({ from: at, to: at, value: !week[at] })
    focus(at)
  }
  const draw = (event: PointerEvent): void => {
    const at = stroke && hourAt(event)
    if (stroke && at !== null && at !== undefined && at !== stroke.to) setStroke({ ...stroke, to: at })
  }
  const end = (): void => {
    if (stroke) onChange(shown)
    setStroke(null)
  }
  const press = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && stroke) {
      event.stopPropagation()
      setStroke(null)
      return
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const to = neighbour(active, event.key)
    if (to === undefined) return
    event.preventDefault()
    focus(to)
    if (event.shiftKey) onChange(painted(week, active, to, week[active] ?? false))
  }

  return (
    <table
      ref={grid}
      className="week"
      aria-label={t('limits.schedule')}
      aria-describedby={describedBy}
      onPointerDown={begin}
      onPointerMove={draw}
      onPointerUp={end}
      onPointerCancel={() => setStroke(null)}
      onKeyDown={press}
    >
      <thead aria-hidden>
        <tr>
          <td />
          {hours
            .filter((hour) => hour % labelEach === 0)
            .map((hour) => (
              <td key={hour} colSpan={labelEach} className="num">
                {words.hour(hour)}
              </td>
            ))}
        </tr>
      </thead>
      <tbody>
        {weekDays.map((day) => (
          <tr key={day}>
            <th scope="row" aria-label={words.day(day)}>
              {words.shortDay(day)}
            </th>
            {hours.map((hour) => {
              const at = day * dayHours + hour
              return (
                <td key={hour}>
                  <button
                    type="button"
                    data-at={at}
                    tabIndex={at === active ? 0 : -1}
                    aria-pressed={shown[at] ?? false}
                    aria-label={t('schedule.cell', { day: words.day(day), from: words.hour(hour), to: words.hour(hour + 1) })}
                    {...(at === now && { 'aria-current': 'time' as const })}
                    onFocus={() => setActive(at)}
                    // The pointer paints; Space, Enter and programs that read the screen press without one.
                    onClick={(event) => {
                      if (event.detail === 0) onChange(painted(week, at, at, !week[at]))
                    }}
                  />
                </td>
              )
            })}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** The hour under the pointer, which is captured by the grid; undefined beside the hours. */
function hourAt({ clientX, clientY }: PointerEvent): number | undefined {
  const at = document.elementFromPoint(clientX, clientY)?.closest<HTMLElement>('[data-at]')?.dataset.at
  return at === undefined ? undefined : Number(at)
}
