import { Signal, type Watchable } from '../base/signal.ts'
import { type ConditionSources, type Conditions, readConditions, type Session, unknownSession } from './conditions.ts'
import type { GpuWatch } from './gpu-reading.ts'

export interface ConditionWatchOptions {
  readonly sources: ConditionSources
  readonly gpus: GpuWatch
  /** Whether a process belongs to this app. */
  readonly isOurs: (pid: number) => boolean
  /** How often the cards are looked at, which say by themselves what is new each second. Default 500 ms. */
  readonly fastMs?: number
  /** How often the system is asked, for which programs are started. Default 10 s. */
  readonly slowMs?: number
}

/** A source that says nothing is asked again after so many times the usual pause. */
const silentPause = 6

const unknown: Conditions = {
  ...{ gpuTemperatureC: null, gpuPrograms: null, idleMs: null, locked: null, onBattery: null, metered: null },
}

/** What the computer is doing besides us, kept up to date until `close`. A source that fails is unknown, and asked again. */
export class ConditionWatch {
  readonly #options: ConditionWatchOptions
  readonly #state = new Signal<Conditions>(unknown)
  readonly #asked: ReadonlyArray<{ close(): void }>
  readonly #timer: NodeJS.Timeout
  #closed = false

  constructor(options: ConditionWatchOptions) {
    this.#options = options
    const { sources, fastMs = 500, slowMs = 10_000 } = options
    const look = (): void => void this.#look()
    const onBattery = new Asked(sources.onBattery, null, (value) => value === null, { slowMs, look })
    const metered = new Asked(sources.metered, null, (value) => value === null, { slowMs, look })
    const session = new Asked<Session>(
      sources.session,
      unknownSession,
      ({ idleMs, locked }) => idleMs === null && locked === null,
      {
        slowMs,
        look,
      },
    )
    this.#asked = [onBattery, metered, session]
    this.#known = {
      onBattery: () => onBattery.value,
      metered: async () => metered.value,
      session: async () => session.value,
    }
    this.#timer = setInterval(look, fastMs).unref()
  }

  readonly #known: ConditionSources

  get state(): Watchable<Conditions> {
    return this.#state
  }

  async #look(): Promise<void> {
    const { gpus, isOurs } = this.#options
    const next = await readConditions(this.#known, gpus, isOurs)
    if (!this.#closed && JSON.stringify(next) !== JSON.stringify(this.#state.value)) this.#state.set(next)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    for (const one of this.#asked) one.close()
    this.#options.sources.close?.()
    this.#options.gpus.close()
  }
}

/** The last answer of a source that is asked from time to time. */
class Asked<T> {
  value: T
  readonly #ask: () => T | Promise<T>
  readonly #nothing: T
  readonly #isNothing: (value: T) => boolean
  readonly #rhythm: { readonly slowMs: number; readonly look: () => void }
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(
    ask: () => T | Promise<T>,
    nothing: T,
    isNothing: (value: T) => boolean,
    rhythm: { readonly slowMs: number; readonly look: () => void },
  ) {
    this.#ask = ask
    this.value = nothing
    this.#nothing = nothing
    this.#isNothing = isNothing
    this.#rhythm = rhythm
    void this.#again()
  }

  async #again(): Promise<void> {
    const { slowMs, look } = this.#rhythm
    try {
      this.value = await this.#ask()
    } catch {
      // What cannot be asked is not known.
      this.value = this.#nothing
    }
    if (this.#closed) return
    look()
    this.#timer = setTimeout(() => void this.#again(), this.#isNothing(this.value) ? slowMs * silentPause : slowMs).unref()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}
