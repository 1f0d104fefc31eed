import { ToggleGroup } from 'radix-ui'
import { useState } from 'react'
import { useTexts } from '../../../messages/texts.tsx'
import { Button } from '../../../ui/button.tsx'
import { useWeekWords } from './use-week-words.ts'
import { dayHours, sameDays, type Week, weekDays, withHours } from './week.ts'

const hours = Array.from({ length: dayHours }, (_, hour) => hour)

/** The same week in words, and a form that sets hours of several days at once: nothing of the grid needs a pointer or an eye for its squares. */
export function ScheduleList({ week, onChange }: { week: Week; onChange(week: Week): void }) {
  const { t } = useTexts()
  const words = useWeekWords()
  const [days, setDays] = useState<readonly string[]>(['0', '1', '2', '3', '4'])
  const [from, setFrom] = useState(22)
  const [to, setTo] = useState(8)
  const set = (value: boolean): void => onChange(withHours(week, days.map(Number), from, to, value))
  return (
    <div className="flex flex-col gap-3">
      <dl className="facts num px-0! pb-0!" aria-label={t('schedule.inWords')}>
        {sameDays(week).map((same) => (
          <div key={same.first} className="contents">
            <dt>{words.days(same)}</dt>
            <dd>{words.ranges(same)}</dd>
          </div>
        ))}
      </dl>
      <fieldset className="flex flex-wrap items-end gap-x-4 gap-y-2">
        <legend className="sr-only">{t('schedule.change')}</legend>
        <ToggleGroup.Root
          type="multiple"
          className="segmented"
          aria-label={t('schedule.dayChoice')}
          value={[...days]}
          onValueChange={setDays}
        >
          {weekDays.map((day) => (
            <ToggleGroup.Item key={day} value={String(day)} title={words.day(day)}>
              {words.shortDay(day)}
            </ToggleGroup.Item>
          ))}
        </ToggleGroup.Root>
        <Hour label={t('schedule.from')} value={from} onChange={setFrom} />
        <Hour label={t('schedule.to')} value={to} onChange={setTo} />
        <span className="flex gap-2">
          <Button disabled={days.length === 0} onClick={() => set(true)}>
            {t('schedule.setOn')}
          </Button>
          <Button disabled={days.length === 0} onClick={() => set(false)}>
            {t('schedule.setOff')}
          </Button>
        </span>
      </fieldset>
      {to <= from ? <p className="text-xs text-ink-3">{t('schedule.nextDay')}</p> : null}
    </div>
  )
}

function Hour({ label, value, onChange }: { label: string; value: number; onChange(hour: number): void }) {
  const words = useWeekWords()
  return (
    <label className="flex items-center gap-2 text-sm text-ink-2">
      {label}
      <select className="field num" value={value} onChange={(event) => onChange(Number(event.target.value))}>
        {hours.map((hour) => (
          <option key={hour} value={hour}>
            {words.hour(hour)}
          </option>
        ))}
      </select>
    </label>
  )
}
