import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Watchable } from '../base/signal.ts'
import type { PauseState } from '../earnings/pause-keeper.ts'
import { givingWay } from '../earnings/pause-rule.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import type { SettingsStore } from '../storage/settings.ts'
import type { AppNetwork } from './app-network.ts'

/** While another program has the card, a model that was brought back for an own question goes again after this. */
const meanwhileIdleMs = 60_000

export interface EngineLifeOptions {
  readonly engine: Pick<LocalEngine, 'state' | 'release' | 'resume' | 'rest' | 'wake' | 'setIdleUnload'>
  readonly network: Pick<AppNetwork, 'worker' | 'setPaused'>
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

  constructor(options: EngineLifeOptions) {
    this.#options = options
    const { engine, network, settings, pauses } = options
    const apply = (): void => this.#apply()
    this.#stops = [pauses, settings, network.worker, engine.state].map((one: Watchable<unknown>) => one.onChange(apply))
    apply()
  }

  /** The node offers its model to a network and takes requests. */
  get isOffered(): boolean {
    const { network, settings, pauses } = this.#options
    return network.worker.value !== null && !settings.value.earningPaused && pauses.value.reasons.length === 0
  }

  /** Own questions bring the model back until the program that has the card ends. */
  useAnyway(): void {
    this.#useAnyway = true
    this.#apply()
  }

  #apply(): void {
    if (this.#closing.signal.aborted) return
    const { engine, network, settings, pauses } = this.#options
    const { limits, earningPaused } = settings.value
    const { reasons } = pauses.value
    // No new request comes before the memory goes.
    const isPaused = earningPaused || reasons.length > 0
    if (isPaused !== this.#isPaused) network.setPaused(isPaused)
    this.#isPaused = isPaused
    const givesWay = reasons.some((reason) => givingWay.has(reason))
    if (!givesWay) this.#useAnyway = false
    this.#give(!givesWay ? 'engine' : limits.ownMeanwhile || this.#useAnyway ? 'other-but-own' : 'other')
    const idleMs = limits.idleUnloadMinutes * 60_000
    engine.setIdleUnload(this.isOffered ? 0 : givesWay ? Math.min(idleMs || meanwhileIdleMs, meanwhileIdleMs) : idleMs)
    const { value } = engine.state
    if (this.isOffered && value.status === 'asleep' && value.why === 'idle') this.#begin(engine.wake(this.#closing.signal))
  }

  #give(holder: Holder): void {
    const before = this.#holder
    if (holder === before) return
    this.#holder = holder
    const { engine, settings } = this.#options
    if (holder === 'engine') {
      if (this.#wasAwake) this.#begin(engine.resume())
      else engine.rest()
      return
    }
    if (before === 'engine') this.#wasAwake = ['ready', 'loading', 'restarting'].includes(engine.state.value.status)
    if (before === 'engine' || holder === 'other')
      this.#released = engine.release({ graceMs: settings.value.limits.graceMs }).catch((thrown: unknown) => this.#log(thrown))
    if (holder !== 'other-but-own') return
    // Who asks for the model while it goes is not sent away first.
    if (before === 'other') return engine.rest()
    // The memory goes first: only a question brings the model back.
    void this.#released.then(() => {
      if (this.#holder === 'other-but-own') engine.rest()
    })
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
