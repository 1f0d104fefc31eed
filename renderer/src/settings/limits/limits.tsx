import { useId } from 'react'
import type { Limits as LimitValues, PauseReason } from '../../../../preload/api/limits.ts'
import { useAnswer, useCall } from '../../api/use-call.ts'
import { useStream } from '../../api/use-stream.ts'
import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Segmented } from '../../ui/segmented.tsx'
import { Skeleton } from '../../ui/skeleton.tsx'
import { Switch } from '../../ui/switch.tsx'
import { ElectricityCard } from './electricity-card.tsx'
import { useNow } from './now-words.ts'
import { presetNames, presetOf, presets } from './presets.ts'
import { ScheduleCard } from './schedule/schedule-card.tsx'

/** The rules that are on or off, in the order of the table of reasons. */
const rules = [
  ['game', 'forGames'],
  ['other-app', 'forOtherApps'],
  ['user-active', 'whileUsed'],
  ['battery', 'onBattery'],
  ['metered', 'onMetered'],
] as const satisfies ReadonlyArray<readonly [PauseReason, keyof LimitValues]>

const temperatures = [70, 75, 80, 85, 90] as const
const gracesMs = [0, 500, 1_000, 10_000, 60_000] as const
const idleMinutes = [5, 10, 30, 0] as const

/** Places of this screen that others lead to, by their names in the address. */
export const limitPlaces = ['schedule', 'electricity'] as const
export type LimitPlace = (typeof limitPlaces)[number]

/** When this computer serves, and when its engine holds memory; each with what the computer tells of it now. @param at what to come to first */
export function Limits({ at }: { at?: LimitPlace | undefined }) {
  const { t } = useTexts()
  const format = useFormat()
  const { value: settings, error } = useStream('settings', {})
  const state = useStream('limits.state', {}).value
  const network = useStream('network.state', {}).value
  const now = useNow(state, useAnswer('hardware.facts', {}))
  const set = useCall('limits.set')
  if (!settings) return error ? <Refusal error={error} /> : <Skeleton awaited={t('settings.loading')} lines={6} />
  const { limits } = settings
  const change = (part: Partial<LimitValues>): void => void set.run(part)
  const preset = presetOf(limits)
  const isHeld = (reason: PauseReason): boolean => state?.pausing.includes(reason) ?? false
  const isPassedOver = (reason: PauseReason): boolean => state?.allowed.includes(reason) ?? false
  return (
    <>
      {set.error ? <Refusal error={set.error} /> : null}
      <section className="card" aria-label={t('limits.preset')}>
        <Row name={t('limits.preset')} text={t('limits.preset.text')}>
          <Segmented
            label={t('limits.preset')}
            value={preset ?? 'own'}
            options={[...presetNames, 'own' as const].map((name) => ({ value: name, label: t(`limits.preset.${name}`) }))}
            onChange={(name) => {
              if (name !== 'own') change(presets[name])
            }}
          />
        </Row>
        {state?.practice ? (
          <Row
            name={t('limits.practice')}
            text={t('limits.practice.text')}
            toggle={{ on: limits.onPractice, onChange: (onPractice) => change({ onPractice }) }}
          />
        ) : null}
      </section>
      <section className="card" aria-label={t('limits.rules')}>
        <div className="card-head">
          <h2>{t('limits.rules')}</h2>
        </div>
        {now.served ? <p className="px-[1.125rem] pb-2 text-sm text-ink-2">{now.served}</p> : null}
        {rules.map(([reason, key]) => (
          <Row
            key={reason}
            name={t(`limits.${reason}`)}
            text={t(`limits.${reason}.text`)}
            now={now.of(reason)}
            held={isHeld(reason)}
            passedOver={isPassedOver(reason)}
            toggle={{ on: limits[key], onChange: (on) => change({ [key]: on }) }}
          />
        ))}
        <Row name={t('limits.temperature')} text={t('limits.temperature.text')} now={now.of('thermal')} held={isHeld('thermal')}>
          <Segmented
            label={t('limits.temperature')}
            value={String(limits.temperatureC)}
            options={temperatures.map((degrees) => ({ value: String(degrees), label: format.temperature(degrees) }))}
            onChange={(degrees) => change({ temperatureC: Number(degrees) })}
          />
        </Row>
      </section>
      <section className="card" aria-label={t('limits.schedule')}>
        <ScheduleCard
          schedule={limits.schedule}
          held={isHeld('schedule')}
          passedOver={isPassedOver('schedule')}
          arrived={at === 'schedule'}
          onChange={async (schedule) => (await set.run({ schedule })) !== null}
        />
      </section>
      <section className="card" aria-label={t('electricity.title')}>
        <ElectricityCard
          prices={settings.prices}
          network={network}
          held={isHeld('not-paying')}
          passedOver={isPassedOver('not-paying')}
          arrived={at === 'electricity'}
        />
      </section>
      <section className="card" aria-label={t('limits.memory')}>
        <div className="card-head">
          <h2>{t('limits.memory')}</h2>
        </div>
        <Row name={t('limits.idle')} text={t('limits.idle.text')} now={now.engine}>
          <Segmented
            label={t('limits.idle')}
            value={String(limits.idleUnloadMinutes)}
            options={idleMinutes.map((minutes) => ({
              value: String(minutes),
              label: minutes === 0 ? t('limits.idle.never') : format.duration(minutes * 60_000),
            }))}
            onChange={(minutes) => change({ idleUnloadMinutes: Number(minutes) })}
          />
        </Row>
        <Row name={t('limits.grace')} text={t('limits.grace.text')}>
          <Segmented
            label={t('limits.grace')}
            value={String(limits.graceMs)}
            options={gracesMs.map((ms) => ({
              value: String(ms),
              label: ms < 60_000 ? t('unit.seconds', { value: ms / 1000 }) : format.duration(ms),
            }))}
            onChange={(ms) => change({ graceMs: Number(ms) })}
          />
        </Row>
        <Row name={t('limits.own')} text={t('limits.own.text')}>
          <Segmented<'ask' | 'answer'>
            label={t('limits.own')}
            value={limits.ownMeanwhile ? 'answer' : 'ask'}
            options={(['ask', 'answer'] as const).map((one) => ({ value: one, label: t(`limits.own.${one}`) }))}
            onChange={(one) => change({ ownMeanwhile: one === 'answer' })}
          />
        </Row>
      </section>
    </>
  )
}

interface RowProps {
  name: string
  text: string
  /** What the computer tells of it. */
  now?: string | undefined
  held?: boolean
  passedOver?: boolean
  toggle?: { readonly on: boolean; onChange(on: boolean): void }
  children?: React.ReactNode
}

function Row({ name, text, now, held = false, passedOver = false, toggle, children }: RowProps) {
  const { t } = useTexts()
  const about = useId()
  return (
    <div className="setting-row">
      <div className="min-w-[220px] flex-1 basis-[260px]">
        <div className="flex flex-wrap items-center gap-2">
          <p className="font-semibold">{name}</p>
          {held ? <span className="chip chip-accent">{t('limits.held')}</span> : null}
          {passedOver ? <span className="chip">{t('limits.anywayNow')}</span> : null}
        </div>
        <div id={about}>
          <p className="text-sm text-ink-2">{text}</p>
          {now ? <p className="num text-sm text-ink-3">{now}</p> : null}
        </div>
      </div>
      {toggle ? <Switch label={name} describedBy={about} on={toggle.on} onChange={toggle.onChange} /> : children}
    </div>
  )
}
