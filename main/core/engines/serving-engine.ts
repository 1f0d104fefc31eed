import { Failure, toldOf } from '../../base/failure.ts'
import { Signal, type Watchable } from '../../base/signal.ts'
import type { EngineCapabilities } from '../../inference/capabilities.ts'
import { noCapabilities } from '../../inference/capabilities.ts'
import type { EngineState } from '../../inference/engine.ts'
import type { BackendRequest, BackendResponse, OpenAiBackend } from '../../inference/openai-backend.ts'
import { type Engines, type LiveEngine, modelOf } from './engines.ts'

/** A model of an engine of another program, as what a worker serves with. `close` it. */
export class ServingEngine implements OpenAiBackend {
  readonly model: string
  /** Requests at once. */
  readonly atOnce: number
  readonly name: string
  readonly host: string
  readonly isLoopback: boolean
  readonly isEncrypted: boolean
  /** Of which engine and model: another one reads what it is asked. */
  readonly identity: string
  readonly #engines: Engines
  readonly #server: LiveEngine['server']
  readonly #id: string
  readonly #state: Signal<EngineState>
  readonly #stop: () => void

  constructor(engines: Engines, serving: NonNullable<ReturnType<Engines['serving']>>) {
    const { record, address, server } = serving.engine
    this.model = serving.model
    this.atOnce = serving.atOnce
    this.name = record.name
    this.host = address.host
    this.isLoopback = address.isLoopback
    this.isEncrypted = address.isEncrypted
    this.identity = `${record.id} ${record.url} ${serving.model}`
    this.#engines = engines
    this.#server = server
    this.#id = record.id
    this.#state = new Signal(this.#now())
    this.#stop = engines.changes.onChange(() => {
      const next = this.#now()
      if (JSON.stringify(next) !== JSON.stringify(this.#state.value)) this.#state.set(next)
    })
  }

  get state(): Watchable<EngineState> {
    return this.#state
  }

  /** Nobody has looked for it yet. */
  get isLooking(): boolean {
    return this.#server.listing.value === undefined
  }

  /** As the engine tells them; nothing while it does not list the model. */
  get capabilities(): EngineCapabilities {
    return this.#listed()?.capabilities ?? noCapabilities
  }

  healthy(): boolean {
    return this.#listed() !== undefined
  }

  /** @throws Failure `engine-not-ready` once the engine is gone or removed, else as `ExternalServer.handle` */
  async handle(request: BackendRequest, signal: AbortSignal): Promise<BackendResponse> {
    if (!this.healthy()) throw new Failure('engine-not-ready', 'The engine is gone.', { retryable: true })
    return this.#server.handle(request, signal)
  }

  close(): void {
    this.#stop()
  }

  #listed() {
    const live = this.#engines.list().find(({ record }) => record.id === this.#id)
    return live === undefined ? undefined : modelOf(live, this.model)
  }

  #now(): EngineState {
    const { name, model } = this
    const listed = this.#listed()
    if (listed !== undefined)
      return { status: 'ready', model, contextTokens: listed.capabilities.contextTokens ?? 0, backend: name }
    const listing = this.#server.listing.value
    if (listing === undefined)
      return { status: 'restarting', reason: `Connecting to ${name}.`, words: { code: 'engine-connecting', values: { name } } }
    if (listing.problem === undefined)
      return {
        status: 'restarting',
        reason: `${name} does not list the model ${model} any more.`,
        words: { code: 'engine-model-gone', values: { name, model } },
      }
    const { text, words } = toldOf(listing.problem)
    return { status: 'restarting', reason: text, words }
  }
}
