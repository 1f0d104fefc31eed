import { Signal, type Watchable } from '../base/signal.ts'
import type { EngineState } from '../inference/engine.ts'

/** The chosen model while the engine does not hold it, because it failed. */
export interface Stopped {
  /** Of the model. */
  readonly id: string
  /** When it is tried again by itself, by the clock; null: only when the user says so. */
  readonly nextTryAtMs: number | null
}

export interface LoadAgainOptions {
  readonly engine: Watchable<EngineState>
  /** Of the chosen model. */
  readonly id: () => string | undefined
  /** Brings it into the engine again. */
  readonly again: () => void
  /** Before the first try; each further one waits twice as long, up to five minutes. Default 15 s. */
  readonly firstPauseMs?: number
}

const longestPauseMs = 300_000

/**
 * An engine that crashed again and again while it loaded is given up by itself. What made it crash may pass (memory, a driver that starts anew), so the
 * model is tried again after growing pauses. What is wrong with the file does not pass. `close` it.
 */
export class LoadAgain {
  readonly #options: LoadAgainOptions
  readonly #stopped = new Signal<Stopped | null>(null)
  readonly #stop: () => void
  #timer: NodeJS.Timeout | undefined
  #pauseMs: number

  constructor(options: LoadAgainOptions) {
    this.#options = options
    this.#pauseMs = options.firstPauseMs ?? 15_000
    this.#stop = options.engine.onChange((state) => this.#look(state))
  }

  /** Null while nothing failed. */
  get stopped(): Watchable<Stopped | null> {
    return this.#stopped
  }

  /** The next pauses are short again: the user chose anew. */
  reset(): void {
    this.#pauseMs = this.#options.firstPauseMs ?? 15_000
  }

  #look(state: EngineState): void {
    clearTimeout(this.#timer)
    if (state.status === 'ready') this.reset()
    const id = this.#options.id()
    if (state.status !== 'failed' || id === undefined) return this.#stopped.set(null)
    if (state.isCrash !== true) return this.#stopped.set({ id, nextTryAtMs: null })
    this.#timer = setTimeout(() => {
      this.#stopped.set({ id, nextTryAtMs: null })
      this.#options.again()
    }, this.#pauseMs)
    this.#stopped.set({ id, nextTryAtMs: Date.now() + this.#pauseMs })
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
  }

  close(): void {
    this.#stop()
    clearTimeout(this.#timer)
  }
}
