import { Feed } from '../base/feed.ts'
import type { Logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import type { SealingIdentity } from '../protocol/sealed/direct/worker-key.ts'
import type { Database } from '../storage/database.ts'
import { Worker } from '../worker/worker.ts'
import type { WorkerEvent } from '../worker/worker-event.ts'
import type { LiveNetwork, Offering } from './app-network.ts'
import type { Dial } from './dialer.ts'
import type { StartProgress } from './start-progress.ts'

export interface LocalWorkersOptions {
  /** Whether the user had paused earning when the app ended last. */
  readonly paused: boolean
  readonly reconnectMs: number
  /** How proxies are reached. It takes only listed images where the network contract demands attestation. */
  readonly dial: Dial
  /** The user's wallet, which vouches for the keys that questions are sealed to, with what the machine attests of such an engine. */
  readonly sealing: (engine: Offering['engine']) => SealingIdentity
  readonly progress: StartProgress
  readonly logger: Logger
}

/** This computer as worker of its local network: one worker at a time, each with what is offered then. */
export class LocalWorkers {
  readonly worker = new Signal<Worker | null>(null)
  /** Of every worker that served, in order. */
  readonly events = new Feed<WorkerEvent>()
  readonly #options: LocalWorkersOptions
  #paused: boolean
  #stopped = false

  constructor(options: LocalWorkersOptions) {
    this.#options = options
    this.#paused = options.paused
  }

  /** Serves in place of what was served before. Null after `stop`. */
  async serve(live: LiveNetwork, database: Database, offering: Offering): Promise<Worker | null> {
    const { progress, logger, reconnectMs, sealing, dial } = this.#options
    const { backend, modelName, engine, atOnce } = offering
    await this.stopServing()
    if (this.#stopped) return null
    const worker = new Worker({
      root: live.root.config,
      owner: live.user,
      money: { chain: live.chain.chain, nodeWallet: live.nodeWallet },
      backend,
      modelName,
      database,
      dial,
      dialChecksImageHashes: true,
      sealing: sealing(engine),
      // Where the app's client asks.
      onlyProxy: live.own?.endpoints.forWorkers,
      ...(atOnce !== undefined && { maxActiveRequests: atOnce }),
      logger: logger.room('worker'),
      reconnectMs,
      // The chain commit follows within seconds here, and the Earn screen should show it as soon.
      paymentStatusMs: [800, 1200],
      healthCheckMs: 500,
    })
    worker.events.on((event) => this.events.emit(event))
    worker.state.onChange(({ connections: [first] }) => {
      if (first?.phase === 'ready') progress.set('worker', 'ready')
      else if (first) progress.set('worker', 'working', first.failure)
    })
    progress.set('worker', 'working')
    if (this.#paused) worker.pause()
    worker.start()
    this.worker.set(worker)
    return worker
  }

  /** Takes no new requests, or takes them again; holds for every later model too. */
  setPaused(paused: boolean): void {
    this.#paused = paused
    const worker = this.worker.value
    if (paused) worker?.pause()
    else worker?.resume()
  }

  async stopServing(): Promise<void> {
    const worker = this.worker.value
    this.worker.set(null)
    await worker?.stop()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.stopServing()
  }
}
