import type { Limits, LimitsState } from '../../preload/api/limits.ts'
import type { Logger } from '../base/logger.ts'
import type { Watchable } from '../base/signal.ts'
import type { LastHours } from '../earnings/net.ts'
import { PauseKeeper, type PauseState } from '../earnings/pause-keeper.ts'
import { ConditionWatch } from '../hardware/condition-watch.ts'
import type { ConditionSources } from '../hardware/conditions.ts'
import type { GpuWatch } from '../hardware/gpu-reading.ts'
import { systemConditions } from '../hardware/system-conditions.ts'
import type { EngineState } from '../inference/engine.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import type { SettingsStore } from '../storage/settings.ts'
import type { AppNetwork } from './app-network.ts'
import { EngineLife } from './engine-life.ts'
import type { OtherModels } from './other-models.ts'

export interface AppLimitsParts {
  readonly engine: LocalEngine
  /** Models of the local API beside it. */
  readonly others?: Pick<OtherModels, 'pids' | 'release' | 'rest' | 'setIdleUnload'>
  readonly network: Pick<AppNetwork, 'worker' | 'setPaused' | 'chainKind'>
  /** The engine of another program that serves; null: this app's engine. */
  readonly external: Watchable<{ readonly name: string } | null>
  readonly settings: SettingsStore
  readonly gpus: () => GpuWatch
  /** Processes of the shell; none unless given. */
  readonly shellPids?: (() => ReadonlySet<number>) | undefined
  /** This computer's, unless given. */
  readonly sources?: ConditionSources
  /** What the last hours left, and whether a loss pauses; never, unless given. */
  readonly lastHours?: () => LastHours
  readonly logger: Logger
}

/** The owner's limits over what the app has: what the computer is doing, what pauses for it, and what the engine does then. */
export interface AppLimits {
  readonly pauses: Watchable<PauseState>
  /** Effective when it returns. @throws Failure as `SettingsStore.change` */
  set(part: { readonly [K in keyof Limits]?: Limits[K] | undefined }): Limits
  /** Goes on serving until what pauses it now ends. */
  anyway(): void
  /** Lets own questions bring the model back while another program has the card. */
  useAnyway(): void
  view(): LimitsState
  close(): void
}

export function openAppLimits({
  engine,
  others,
  network,
  external,
  settings,
  gpus,
  shellPids = () => new Set<number>(),
  sources = systemConditions(),
  lastHours,
  logger,
}: AppLimitsParts): AppLimits {
  // The window is drawn by a process that the shell started beside this one.
  const isOurs = (pid: number): boolean =>
    [process.pid, process.ppid, engine.pid, ...(others?.pids ?? [])].includes(pid) || shellPids().has(pid)
  const watch = new ConditionWatch({ sources, gpus: gpus(), isOurs })
  const practice = network.chainKind === 'local'
  const keeper = new PauseKeeper({
    conditions: watch.state,
    limits: () => settings.value.limits,
    practice,
    ...(lastHours && { lastHours }),
  })
  const stopSettings = settings.onChange(() => keeper.look())
  const life = new EngineLife({ engine, ...(others && { others }), network, external, settings, pauses: keeper.state, logger })
  return {
    pauses: keeper.state,
    set: (part) => {
      const given = Object.entries(part).filter(([, value]) => value !== undefined)
      return settings.change({ limits: { ...settings.value.limits, ...Object.fromEntries(given) } }).limits
    },
    anyway: () => keeper.anyway(),
    useAnyway: () => life.useAnyway(),
    view: () => {
      const { gpuPrograms, ...conditions } = watch.state.value
      const [busiest] = (gpuPrograms ?? []).toSorted((a, b) => (b.utilisationPercent ?? 0) - (a.utilisationPercent ?? 0))
      return {
        ...conditions,
        gpu: { known: gpuPrograms !== null, program: busiest?.name ?? null, percent: busiest?.utilisationPercent ?? null },
        pausing: [...keeper.state.value.reasons],
        allowed: [...keeper.state.value.allowed],
        practice,
        offered: life.isOffered,
        servedBy: external.value?.name ?? null,
        engine: wordOf(engine.state.value),
      }
    },
    close: () => {
      life.close()
      stopSettings()
      keeper.close()
      watch.close()
    },
  }
}

function wordOf(state: EngineState): LimitsState['engine'] {
  switch (state.status) {
    case 'no-model':
      return 'none'
    case 'loading':
    case 'restarting':
      return 'coming'
    case 'asleep':
      return state.why === 'idle' ? 'asleep' : 'yielded'
    default:
      return state.status
  }
}
