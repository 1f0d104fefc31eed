import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Watchable } from '../base/signal.ts'
import type { PauseState } from '../earnings/pause-keeper.ts'
import { givingWay } from '../earnings/pause-rule.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import type { SettingsStore } from '../storage/settings.ts'
import type { AppNetwork } from './app-network.ts'
import type { OtherModels } from './other-models.ts'

/** While another program has the card, a model that was brought back for an own question goes again after this. */
const meanwhileIdleMs = 60_000

export interface EngineLifeOptions {
  readonly engine: Pick<LocalEngine, 'state' | 'release' | 'resume' | 'rest' | 'wake' | 'setIdleUnload'>
  /** Models that are asked by the local API alone. They give way as the engine does, and are never offered to a network. */
  readonly others?: Pick<OtherModels, 'release' | 'rest' | 'setIdleUnload'>
  readonly network: Pick<AppNetwork, 'worker' | 'setPaused'>
  /** An engine of another program serves: this app's own one is then offered to nobody. */
  readonly external: Watchable<unknown>
  readonly settings: SettingsStore
  readonly pauses: Watchable<PauseState>
  readonly logger: Logger
}

/** Who has the memory of the model: the engine, the other program alone, or the other program but for own questions. */
type Holder = 'engine' | 'other' | 'other-but-own'

/**
 * Whether this node takes requests and whether its engine holds memory, by what the owner wants and what the computer is doing (docs/inference.md,
 * Memory): another program that needs the graphics card is given it at once, a model that nobody uses and no network is offered gives its memory
 * back, and one that is offered stays ready.
 */
export class EngineLife {
  readonly #options: EngineLifeOptions
  readonly #stops: ReadonlyArray<() => void>
  readonly #closing = new AbortController()
  #holder: Holder = 'engine'
  /** The user asked for the model for as long as the other program runs. */
  #useAnyway = false
  /** The model was there when its memory was given away. */
  #wasAwake = false
  #released: Promise<void> = Promise.resolve()
  #isPaused: boolean | undefined
  #isPausedByUser: boolean | undefined

  constructor(options: EngineLifeOptions) {
    this.#options = options
    const { engine, network, external, settings, pauses } = options
    const apply = (): void => this.#apply()
    this.#stops = [pauses, settings, network.worker, external, engine.state].map((one: Watchable<unknown>) => one.onChange(apply))
    apply()
  }

  /** The node offers the model of its own engine to a network and takes requests. */
  get isOffered(): boolean {
    const { network, external, settings, pauses } = this.#options
    return (
      network.worker.value !== null &&
      external.value === null &&
      !settings.value.earningPaused &&
      pauses.value.reasons.length === 0
    )
  }

  /** Own questions bring the model back until the program that has the card ends. */
  useAnyway(): void {
    this.#useAnyway = true
    this.#apply()
  }

  #apply(): void {
    if (this.#closing.signal.aborted) return
    const { engine, others, network, settings, pauses } = this.#options
    const { limits, earningPaused } = settings.value
    const { reasons } = pauses.value
    // No new request comes before the memory goes.
    const isPaused = earningPaused || reasons.length > 0
    if (isPaused !== this.#isPaused) network.setPaused(isPaused)
    this.#isPaused = isPaused
    if (earningPaused && this.#isPausedByUser === false) this.#giveOthersBack()
    this.#isPausedByUser = earningPaused
    const givesWay = reasons.some((reason) => givingWay.has(reason))
    if (!givesWay) this.#useAnyway = false
    this.#give(!givesWay ? 'engine' : limits.ownMeanwhile || this.#useAnyway ? 'other-but-own' : 'other')
    const idleMs = limits.idleUnloadMinutes * 60_000
    const unofferedIdleMs = givesWay ? Math.min(idleMs || meanwhileIdleMs, meanwhileIdleMs) : idleMs
    engine.setIdleUnload(this.isOffered ? 0 : unofferedIdleMs)
    others?.setIdleUnload(unofferedIdleMs)
    const { value } = engine.state
    if (this.isOffered && value.status === 'asleep' && value.why === 'idle') this.#begin(engine.wake(this.#closing.signal))
  }

  #give(holder: Holder): void {
    const before = this.#holder
    if (holder === before) return
    this.#holder = holder
    const { engine, others, settings } = this.#options
    const rest = (): void => {
      engine.rest()
      others?.rest()
    }
    if (holder === 'engine') {
      others?.rest()
      if (this.#wasAwake) this.#begin(engine.resume())
      else engine.rest()
      return
    }
    if (before === 'engine') this.#wasAwake = ['ready', 'loading', 'restarting'].includes(engine.state.value.status)
    if (before === 'engine' || holder === 'other') {
      const { graceMs } = settings.value.limits
      this.#released = Promise.all([engine.release({ graceMs }), others?.release({ graceMs })]).then(
        () => undefined,
        (thrown: unknown) => this.#log(thrown),
      )
    }
    if (holder !== 'other-but-own') return
    // Who asks for the model while it goes is not sent away first.
    if (before === 'other') return rest()
    // The memory goes first: only a question brings the model back.
    void this.#released.then(() => {
      if (this.#holder === 'other-but-own') rest()
    })
  }

  /** Who pauses wants the computer for something else: models that only programs asked for go within the grace, and come back with their next request. */
  #giveOthersBack(): void {
    const { others, settings } = this.#options
    if (others === undefined) return
    const { graceMs } = settings.value.limits
    const back = others.release({ graceMs, to: 'user' }).then(() => {
      if (this.#holder !== 'other') others.rest()
    })
    this.#begin(back)
  }

  #begin(work: Promise<void>): void {
    work.catch((thrown: unknown) => this.#log(thrown))
  }

  /** The state of the engine says the same to the user. */
  #log(thrown: unknown): void {
    this.#options.logger.warn('the model did not come back', { reason: asError(thrown).message })
  }

  close(): void {
    this.#closing.abort()
    for (const stop of this.#stops) stop()
  }
}
