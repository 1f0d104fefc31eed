import { useEffect, useId, useState } from 'react'
import type { Limits } from '../../../../../preload/api/limits.ts'
import { useTexts } from '../../../messages/texts.tsx'
import { Segmented } from '../../../ui/segmented.tsx'
import { ArrivalTitle } from '../arrival-title.tsx'
import { scheduleNames, scheduleOf, schedules } from '../presets.ts'
import { ScheduleGrid } from './schedule-grid.tsx'
import { ScheduleList } from './schedule-list.tsx'
import { scheduleFrom, weekOf } from './week.ts'

type Schedule = Limits['schedule']
const same = (a: Schedule, b: Schedule): boolean => JSON.stringify(a) === JSON.stringify(b)

interface ScheduleCardProps {
  schedule: Schedule
  /** Earning is off by it now. */
  held: boolean
  /** It would be, and was passed over by the owner. */
  passedOver: boolean
  /** Another screen led here. */
  arrived: boolean
  /** Resolves to false when it could not be kept. */
  onChange(schedule: Schedule): Promise<boolean>
}

/** In which hours of the week this computer may serve: common choices, a grid to paint, and the same in words. */
export function ScheduleCard({ schedule: kept, held, passedOver, arrived, onChange }: ScheduleCardProps) {
  const { t } = useTexts()
  const about = useId()
  // Shown at once, until it comes back as kept: keys may be quicker than that.
  const [draft, setDraft] = useState<Schedule>()
  useEffect(() => {
    if (draft !== undefined && same(draft, kept)) setDraft(undefined)
  }, [draft, kept])
  const schedule = draft === undefined ? kept : draft
  const change = (next: Schedule): void => {
    setDraft(next)
    void onChange(next).then((done) => {
      if (!done) setDraft(undefined)
    })
  }
  const week = weekOf(schedule)
  return (
    <>
      <div className="card-head">
        <ArrivalTitle arrived={arrived}>{t('limits.schedule')}</ArrivalTitle>
        {held ? <span className="chip chip-accent">{t('limits.held')}</span> : null}
        {passedOver ? <span className="chip">{t('limits.anywayNow')}</span> : null}
        <span className="ms-auto flex items-center gap-3 text-xs text-ink-2">
          <span className="week-key" data-on="true">
            {t('schedule.earn')}
          </span>
          <span className="week-key">{t('schedule.offKey')}</span>
        </span>
      </div>
      <div className="flex flex-col gap-3 px-[1.125rem] pt-1 pb-4">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <p className="text-sm text-ink-2">{t('limits.schedule.text')}</p>
          <Segmented
            label={t('limits.schedule.usual')}
            value={scheduleOf(schedule) ?? ''}
            options={scheduleNames.map((name) => ({ value: name as string, label: t(`limits.schedule.${name}`) }))}
            onChange={(name) => {
              const chosen = scheduleNames.find((one) => one === name)
              if (chosen) change(schedules[chosen])
            }}
          />
        </div>
        <ScheduleGrid week={week} describedBy={about} onChange={(next) => change(scheduleFrom(next))} />
        <p id={about} className="text-xs text-ink-3">
          {t('schedule.help')}
        </p>
        {week.includes(true) ? null : <p className="text-sm">{t('schedule.never')}</p>}
        <ScheduleList week={week} onChange={(next) => change(scheduleFrom(next))} />
      </div>
    </>
  )
}
