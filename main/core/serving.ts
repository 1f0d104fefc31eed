import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { EngineCapabilities } from '../inference/capabilities.ts'
import type { CapableEngine, EngineState } from '../inference/engine.ts'
import type { VerifiedModel } from '../models/library.ts'
import type { Worker } from '../worker/worker.ts'
import type { AppNetwork } from './app-network.ts'
import type { Engines } from './engines/engines.ts'
import { ServingEngine } from './engines/serving-engine.ts'

/** What this computer serves with: a model of its own engine, or of an engine of another program. */
export type Served =
  | { readonly kind: 'own'; readonly model: VerifiedModel }
  | { readonly kind: 'external'; readonly engine: ServingEngine }

export interface ServingOptions {
  readonly engine: Pick<CapableEngine, 'state' | 'capabilities'>
  readonly engines: Engines
  readonly network: Pick<AppNetwork, 'worker' | 'noWorker' | 'stopServing'>
  /** Makes a worker of it. Null where there is no network to serve. */
  readonly begin: (served: Served) => Promise<Worker | null>
  /** Serving ends; told before the worker is stopped. */
  readonly onEnd: () => void
  /** Nothing serves, though something was to. It is tried again with the next change of what is to serve, or of an engine. */
  readonly onFailure: (reason: Error) => void
  readonly logger: Logger
}

/**
 * What the worker serves with, by the user's choice: the model that this app's engine holds, or a model of an added engine, whatever this app's engine
 * holds. Each change ends the worker of before. `open` it once there is a network, `stop` it.
 */
export class Serving {
  readonly #options: ServingOptions
  readonly #external = new Signal<ServingEngine | null>(null)
  readonly #state: Signal<EngineState>
  readonly #stops: Array<() => void>
  #own: VerifiedModel | undefined
  #isOpen = false
  #isStopped = false
  /** Of what serves now. */
  #key: string | undefined
  /** Ends when the last wanted change is done; never rejects. */
  #work: Promise<void> = Promise.resolve()
  #stopState: () => void = () => undefined

  constructor(options: ServingOptions) {
    this.#options = options
    const { engine, engines, network } = options
    this.#state = new Signal(engine.state.value)
    this.#choose()
    // A failure is told in the log.
    const follow = (): unknown => this.#follow().catch(() => undefined)
    this.#stops = [
      engine.state.onChange(() => this.#show()),
      engines.changes.onChange(() => {
        this.#choose()
        follow()
      }),
      network.noWorker.onChange(follow),
    ]
  }

  /** The chosen engine of another program, whether or not it is reached; null: this app's engine serves. */
  get external(): Watchable<ServingEngine | null> {
    return this.#external
  }

  /** Of the engine that serves. */
  get state(): Watchable<EngineState> {
    return this.#state
  }

  /** Of the engine that serves. */
  get capabilities(): EngineCapabilities {
    return (this.#external.value ?? this.#options.engine).capabilities
  }

  /** There is a network, or there will be none. */
  open(): Promise<void> {
    this.#isOpen = true
    return this.#follow()
  }

  /** This app's engine holds a model. Resolves when it serves, where it is to. */
  ownReady(model: VerifiedModel): Promise<void> {
    this.#own = model
    return this.#follow()
  }

  /** This app's engine gives its model up. Resolves when nothing is answered in its name any more. */
  ownGone(): Promise<void> {
    this.#own = undefined
    return this.#follow()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const stop of this.#stops) stop()
    this.#stopState()
    this.#external.value?.close()
    await this.#work
  }

  /** Follows the user's choice, at once: what is shown and checked by it is never of the engine before. */
  #choose(): void {
    const { engines } = this.#options
    const serving = engines.serving()
    const before = this.#external.value
    const next = serving === undefined ? null : new ServingEngine(engines, serving)
    if (next?.identity === before?.identity && next?.atOnce === before?.atOnce) return next?.close()
    before?.close()
    this.#stopState()
    this.#stopState = next?.state.onChange(() => this.#show()) ?? (() => undefined)
    this.#external.set(next)
    this.#show()
  }

  #show(): void {
    this.#state.set((this.#external.value ?? this.#options.engine).state.value)
    // The proxy hears at once that the engine is gone, or back.
    this.#options.network.worker.value?.checkHealth()
  }

  #follow(): Promise<void> {
    const done = this.#work.then(() => this.#bring())
    this.#work = done.catch((thrown: unknown) => {
      const reason = asError(thrown)
      this.#options.logger.error('the worker could not be started', { reason: reason.message })
      this.#options.onFailure(reason)
    })
    return done
  }

  async #bring(): Promise<void> {
    const { network, begin, onEnd } = this.#options
    const served = this.#wanted()
    const what =
      served && (served.kind === 'own' ? `own ${served.model.id}` : `${served.engine.identity} ${served.engine.atOnce}`)
    // A network that takes no worker of this computer any more, or does now, is served anew: the worker ends, or begins.
    const key = what && `${what} ${network.noWorker.value === null}`
    if (this.#isStopped || key === this.#key) return
    if (this.#key !== undefined) {
      onEnd()
      // Also a worker that does not stop in peace is gone.
      this.#key = undefined
      await network.stopServing()
    }
    if (served !== undefined) await begin(served)
    this.#key = key
  }

  #wanted(): Served | undefined {
    if (!this.#isOpen) return undefined
    const engine = this.#external.value
    if (engine !== null) return { kind: 'external', engine }
    return this.#own && { kind: 'own', model: this.#own }
  }
}
