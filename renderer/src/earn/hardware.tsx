import type { Gpu, HardwareFacts, Telemetry } from '../../../preload/api/system.ts'
import { useAnswer } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { type Formats, useFormat } from '../format/use-format.ts'
import { type Say, useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Gauge } from '../ui/bar.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { backendsToShow } from './card-backends.ts'

interface Measure {
  readonly id: string
  readonly label: string
  readonly value: string
  readonly rest?: string
  readonly percent: number
}

/** Beside the load: power against its limit, clock, and whether the card holds itself back. */
function restOf(gpu: Telemetry['gpus'][number], t: Say, format: Formats): { rest?: string } {
  const { powerW, powerLimitW, clockMHz, throttling } = gpu
  const power = powerW === null ? null : format.power(powerW)
  const parts = [
    power !== null && powerLimitW !== null ? t('hardware.powerOf', { power, limit: format.power(powerLimitW) }) : power,
    clockMHz === null ? null : t('unit.megahertz', { value: format.count(Math.round(clockMHz)) }),
    throttling === null || throttling === 'none' ? null : t(`hardware.throttling.${throttling}`),
  ].filter((part) => part !== null)
  return parts.length === 0 ? {} : { rest: parts.join(', ') }
}

/** What is measured, in the order of importance. A value that this computer does not tell is left out, never shown as zero. */
function measures(facts: HardwareFacts, live: Telemetry, t: Say, format: Formats): readonly Measure[] {
  const list: Measure[] = []
  const several = live.gpus.length > 1
  for (const [index, gpu] of live.gpus.entries()) {
    const named = (label: string): string => (several ? t('hardware.ofCard', { label, number: index + 1 }) : label)
    const total = gpu.memoryTotalBytes ?? facts.gpus[index]?.memoryBytes
    if (gpu.temperatureC !== null) {
      list.push({
        id: `gpu${index}-t`,
        label: named(t('hardware.gpuTemperature')),
        value: format.temperature(gpu.temperatureC),
        percent: gpu.temperatureC,
      })
    }
    if (gpu.memoryUsedBytes !== null && total) {
      list.push({
        id: `gpu${index}-m`,
        label: named(t('hardware.gpuMemory')),
        value: format.bytes(gpu.memoryUsedBytes),
        rest:
          gpu.memoryOursBytes === null
            ? t('hardware.of', { total: format.bytes(total) })
            : t('hardware.ofOurs', { total: format.bytes(total), ours: format.bytes(gpu.memoryOursBytes) }),
        percent: (100 * gpu.memoryUsedBytes) / total,
      })
    }
    if (gpu.utilisationPercent !== null) {
      list.push({
        id: `gpu${index}-u`,
        label: named(t('hardware.gpuLoad')),
        value: format.percent(gpu.utilisationPercent),
        ...restOf(gpu, t, format),
        percent: gpu.utilisationPercent,
      })
    }
  }
  if (live.cpuPercent !== null) {
    list.push({
      id: 'cpu',
      label: t('hardware.cpuLoad'),
      value: format.percent(live.cpuPercent),
      rest: t('hardware.threads', { n: facts.cpu.threads }),
      percent: live.cpuPercent,
    })
  }
  list.push({
    id: 'memory',
    label: t('hardware.memory'),
    value: format.bytes(live.memoryUsedBytes),
    rest: t('hardware.of', { total: format.bytes(facts.memoryBytes) }),
    percent: (100 * live.memoryUsedBytes) / facts.memoryBytes,
  })
  if (live.cpuTemperatureC !== null) {
    list.push({
      id: 'cpu-t',
      label: t('hardware.cpuTemperature'),
      value: format.temperature(live.cpuTemperatureC),
      percent: live.cpuTemperatureC,
    })
  }
  return list
}

/** Which of the engine's back ends can use a card. Null where nobody looked. */
function backendLine(gpu: Gpu, t: Say): string | null {
  const backends = backendsToShow(gpu)
  if (backends === undefined) return null
  const list = backends.map(({ name, state }) => t(`hardware.backend.${state}`, { name })).join(', ')
  return t('hardware.backends', { name: gpu.name, list: list === '' ? t('hardware.backend.none') : list })
}

export function Hardware() {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  const facts = useAnswer('hardware.facts', {})
  const live = useStream('hardware.telemetry', {}).value
  if (!facts) return <Skeleton awaited={t('hardware.loading')} />
  const gpus = facts.gpus
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('hardware.title')}</h2>
        <span className="min-w-0 truncate text-xs text-ink-3">
          {gpus.length > 0 ? gpus.map(({ name }) => name).join(', ') : facts.cpu.name}
        </span>
        {gpus.length === 0 ? <span className="chip ms-auto">{t('hardware.noGpu')}</span> : null}
      </div>
      <div className="flex flex-col gap-[0.8125rem] px-[1.125rem] pt-3 pb-4">
        {live
          ? measures(facts, live, t, format).map(({ id, rest, ...one }) => (
              <Gauge
                key={id}
                {...one}
                {...(rest === undefined ? {} : { rest })}
                valueText={[one.value, rest].filter(Boolean).join(' ')}
              />
            ))
          : null}
      </div>
      <div className="num flex flex-col gap-1.5 border-t border-line px-[1.125rem] pt-3 pb-4 text-xs text-ink-3">
        <p>
          {t('hardware.processor', { name: facts.cpu.name, cores: facts.cpu.physicalCores, threads: facts.cpu.threads })}{' '}
          {gpus.length === 0 ? t('hardware.noGpuFound') : null}
        </p>
        {gpus.map((gpu) => {
          const line = backendLine(gpu, t)
          return line === null ? null : <p key={`${gpu.pciId} ${gpu.name}`}>{line}</p>
        })}
        <p>{t('hardware.backendsProcessor')}</p>
        <p>{said(facts.tee.sentence)}</p>
      </div>
    </section>
  )
}

/** In narrow windows the hero itself answers whether the machine is fine. */
export function HardwareStrip() {
  const { t } = useTexts()
  const format = useFormat()
  const facts = useAnswer('hardware.facts', {})
  const live = useStream('hardware.telemetry', {}).value
  if (!facts || !live) return null
  return (
    <div className="hero-strip num">
      {measures(facts, live, t, format)
        .slice(0, 4)
        .map(({ id, label, value, rest }) => (
          <div key={id}>
            <span className="block truncate text-xs text-ink-3">{label}</span>
            <b className="text-sm">{value}</b> {rest ? <span className="text-sm text-ink-3">{rest}</span> : null}
          </div>
        ))}
    </div>
  )
}
