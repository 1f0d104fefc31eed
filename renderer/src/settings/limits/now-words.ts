import type { LimitsState, PauseReason } from '../../../../preload/api/limits.ts'
import type { HardwareFacts } from '../../../../preload/api/system.ts'
import { isolated } from '../../format/plain-label.ts'
import { type Formats, useFormat } from '../../format/use-format.ts'
import { type Say, useTexts } from '../../messages/texts.tsx'

interface NowWords {
  /** What the computer tells of a rule's cause; undefined before it told anything. */
  of(reason: PauseReason): string | undefined
  readonly engine: string | undefined
  /** Of an engine of another program that serves. */
  readonly served: string | undefined
}

/** @param facts undefined until they are known */
export function useNow(state: LimitsState | undefined, facts: Pick<HardwareFacts, 'gpus'> | undefined): NowWords {
  const { t } = useTexts()
  const format = useFormat()
  return {
    of: (reason) => state && nowOf(state, facts?.gpus.length === 0, reason, t, format),
    served: state?.servedBy ? t('limits.servedBy', { name: isolated(state.servedBy) }) : undefined,
    engine: state && t(`limits.engine.${state.engine === 'ready' && state.offered ? 'offered' : state.engine}`),
  }
}

/** What is not known is said, never passed over. */
export function nowOf(state: LimitsState, hasNoCard: boolean, reason: PauseReason, t: Say, format: Formats): string | undefined {
  const { gpu, idleMs, locked, onBattery, metered, gpuTemperatureC: heat } = state
  switch (reason) {
    case 'game':
    case 'other-app':
      if (!gpu.known) return t(hasNoCard ? 'limits.noCard' : 'limits.unknownPrograms')
      if (gpu.program === null) return t('limits.gpu.none')
      return gpu.percent === null
        ? t('limits.gpu.program', { program: isolated(gpu.program) })
        : t('limits.gpu.programAt', { program: isolated(gpu.program), percent: Math.round(gpu.percent) })
    case 'user-active':
      if (locked) return t('limits.locked')
      return idleMs === null ? t('limits.unknown') : t('limits.idleFor', { ago: format.duration(idleMs) })
    case 'battery':
      return onBattery === null ? t('limits.unknown') : t(onBattery ? 'limits.battery.yes' : 'limits.battery.no')
    case 'metered':
      return metered === null ? t('limits.unknown') : t(metered ? 'limits.metered.yes' : 'limits.metered.no')
    case 'thermal':
      return heat === null
        ? t(hasNoCard ? 'limits.noCard' : 'limits.unknown')
        : t('limits.temperature.now', { n: Math.round(heat) })
    default:
      return undefined
  }
}
