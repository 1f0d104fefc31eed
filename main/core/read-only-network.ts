import { Failure, type Told } from '../base/failure.ts'
import { Feed } from '../base/feed.ts'
import type { Logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import type { ChainNetwork } from '../network/network-file.ts'
import { apiKeyFor } from '../ton/api-key.ts'
import type { Chain } from '../ton/chain.ts'
import { httpChain } from '../ton/http-chain.ts'
import { EndpointsDisagree, endpointsThat, type OtherReading, otherChains } from '../ton/root-agreement.ts'
import { type RootWatcher, watchRoot } from '../ton/root-config.ts'
import type { Worker } from '../worker/worker.ts'
import type { WorkerEvent } from '../worker/worker-event.ts'
import type { AppNetwork, LiveNetwork, SeenRoot } from './app-network.ts'
import type { StartProgress } from './start-progress.ts'

const rootIntervalMs = 15_000

/**
 * A network on TON that the app only looks at. No wallet is opened there, no proxy is spoken to, and nothing can cost money: paying and
 * earning with real coins needs a consent that this version does not ask for yet.
 */
export class ReadOnlyNetwork implements AppNetwork {
  readonly kind: AppNetwork['kind']
  readonly chainKind: Chain['kind']
  readonly name: string
  readonly readOnly = true
  readonly seen = new Signal<SeenRoot | null>(null)
  readonly live = new Signal<LiveNetwork | null>(null)
  readonly worker = new Signal<Worker | null>(null)
  readonly failure: Signal<Failure | null>
  readonly workerEvents = new Feed<WorkerEvent>()
  readonly #network: ChainNetwork
  readonly #endpoints: readonly string[]
  readonly #progress: StartProgress
  readonly #logger: Logger
  #root: RootWatcher | undefined
  #unwatch: ReadonlyArray<() => void> = []
  readonly #stopping = new AbortController()

  constructor(options: {
    readonly network: ChainNetwork
    readonly endpoints: readonly string[]
    readonly progress: StartProgress
    readonly logger: Logger
  }) {
    const { network } = options
    this.kind = network.kind
    this.chainKind = network.chain.kind
    this.name = network.name
    this.#network = network
    this.#endpoints = options.endpoints
    this.#progress = options.progress
    this.#logger = options.logger
    this.failure = new Signal<Failure | null>(
      new Failure(
        'network-read-only',
        `${network.name} is open for reading only: this version of the app neither pays nor earns there.`,
        {
          advice: 'On this computer you can chat as before. The roles of the command line work on such a network.',
          money: 'No wallet is open there, and nothing is spent.',
          values: { network: network.name },
        },
      ),
    )
  }

  get trouble(): string | null {
    return this.failure.value?.message ?? null
  }

  /** Nothing at all happens there, which is `trouble`. */
  readonly noWorker = new Signal<Told | null>(null)

  /** Reads the contract through the first endpoint that answers, and goes on with it. */
  async start(): Promise<void> {
    const { root } = this.#network
    for (const [index, endpoint] of this.#endpoints.entries()) {
      const chain = httpChain({
        kind: this.chainKind,
        endpoint,
        logger: this.#logger.room('chain'),
        ...apiKeyFor(endpoint),
      })
      const rest = this.#endpoints.filter((_, other) => other !== index)
      const others = otherChains(this.chainKind, rest, this.#logger.room('chain'))
      const watcher = watchRoot(chain, root, { intervalMs: rootIntervalMs, others, logger: this.#logger.room('root') })
      this.#progress.set('network', 'working', chain.endpoint)
      const read = await watcher.refresh(this.#stopping.signal).then(
        () => true,
        // It has answered; that another one says otherwise is for the screen to tell.
        (thrown) => thrown instanceof EndpointsDisagree,
      )
      if (this.#stopping.signal.aborted) return
      // The last one is kept although it does not answer: it may later.
      if (!read && index < this.#endpoints.length - 1) continue
      this.#follow(watcher, chain.endpoint)
      return
    }
  }

  #follow(root: RootWatcher, endpoint: string): void {
    const show = (): void => {
      const failure = root.failure.value
      const { source } = root.config.value ?? {}
      if (failure === null) this.#progress.set('network', 'ready', readThrough(endpoint, source?.others))
      else this.#progress.set('network', 'failed', failure.message)
    }
    this.#unwatch = [root.failure.onChange(show), root.config.onChange(show)]
    show()
    this.#root = root
    root.start()
    this.seen.set({ endpoint, root })
  }

  async serve(): Promise<null> {
    return null
  }

  setPaused(): void {
    // There is no worker to pause.
  }

  async stopServing(): Promise<void> {
    // There is no worker to stop.
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const stop of this.#unwatch) stop()
    await this.#root?.stop()
  }
}

/** Which endpoints the contract was read through, and whether they agreed. */
function readThrough(endpoint: string, others: readonly OtherReading[] = []): string {
  const same = endpointsThat('same', others)
  const silent = endpointsThat('silent', others)
  return [
    `read through ${endpoint}`,
    ...(same.length === 0 ? [] : [`${same.join(', ')} said the same`]),
    ...(silent.length === 0 ? [] : [`${silent.join(', ')} did not answer`]),
  ].join('; ')
}
