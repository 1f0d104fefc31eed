import type { Address } from '@ton/core'
import type { ProxyEndpoints } from '../../contracts/net-address.ts'
import { keySigner } from '../../contracts/signed.ts'
import { asError, Failure, messageAndAdvice } from '../base/failure.ts'
import type { Feed } from '../base/feed.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { ChildEntries } from '../child-entries.ts'
import { clientMigrations } from '../client/account-store.ts'
import { Client } from '../client/client.ts'
import { localTerms, TopUpKeeper } from '../client/top-up-keeper.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import {
  buildLocalNetwork,
  handOutCoins,
  joinLocalNetwork,
  localEndpoints,
  localGenesis,
  localRoot,
} from '../localnet/genesis.ts'
import { LocalChain } from '../localnet/local-chain.ts'
import { securePort } from '../proxy/ports.ts'
import { CocoonProxy } from '../proxy/proxy.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import type { DiskRoom } from '../storage/disk-room.ts'
import type { DataPaths } from '../storage/files.ts'
import type { Chain } from '../ton/chain.ts'
import { type RootWatcher, watchRoot } from '../ton/root-config.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import type { Worker } from '../worker/worker.ts'
import type { WorkerEvent } from '../worker/worker-event.ts'
import type { AppNetwork, LiveNetwork, SeenRoot } from './app-network.ts'
import { PeerWatch } from './checks/seen-peer.ts'
import { openDialer } from './dialer.ts'
import { type EarlyPort, openEarly } from './early-port.ts'
import { keptWords } from './kept-words.ts'
import { forgetLocalEndpoint, tellLocalEndpoint } from './local-endpoint.ts'
import type { LocalSecrets } from './local-keys.ts'
import { LocalWorkers } from './local-workers.ts'
import { w5Sealing } from './sealing-identity.ts'
import type { StartProgress } from './start-progress.ts'

/** Values of the local network that are not in its contracts (architecture, Networks). */
const rootIntervalMs = 5000
/** A served request is to be pending within 3 s, also on a busy machine; commit, signature and the worker's next look come on top. */
const chainCommitDelayMs = 900
const reconnectMs = 1500
const walletGraceMs = 5000
/** Leading zero bits, as on the main network (protocol 10 §5). */
const powDifficulty = 20

export interface LocalNetworkOptions {
  readonly paths: DataPaths
  readonly secrets: LocalSecrets
  /** Which chain the books have to be of; undefined when that is not known. */
  readonly chainId?: number | undefined
  /** A network that was deployed on the local chain with the operator's tool; the computer's own when left out. */
  readonly joined?: { readonly name: string; readonly root: Address }
  readonly entries: ChildEntries
  readonly progress: StartProgress
  /** Whether the user had paused earning when the app ended last. */
  readonly paused: boolean
  /** Told when a book finds no room on the disk. */
  readonly room?: DiskRoom
  readonly logger: Logger
}

/**
 * The whole Cocoon network on one computer: an embedded chain, its contracts, a proxy, this computer as worker and as client. The roles
 * speak over loopback sockets with proof of work, TLS and frames, as they would with strangers.
 */
export class LocalNetwork implements AppNetwork {
  readonly kind = 'local'
  readonly chainKind = 'local'
  readonly readOnly = false
  readonly name: string | null
  readonly seen: Watchable<SeenRoot | null>
  /** Null until proxy and client are up. */
  readonly live: Watchable<LiveNetwork | null>
  readonly worker: Watchable<Worker | null>
  /** Why the network could not start; null when it did not fail. */
  readonly failure: Watchable<Failure | Error | null>
  /** Events of every worker that served, in order. */
  readonly workerEvents: Feed<WorkerEvent>
  readonly #seen = new Signal<SeenRoot | null>(null)
  readonly #live = new Signal<LiveNetwork | null>(null)
  readonly #failure = new Signal<Failure | Error | null>(null)
  readonly #options: LocalNetworkOptions
  /** What has to be closed, newest last. */
  readonly #closers: Array<() => Promise<void> | void> = []
  readonly #wallets: Array<{ close(): void }> = []
  #workerDatabase: Database | undefined
  /** Aborts with the end of the app: nothing is begun after it. */
  readonly #stopping = new AbortController()
  #building: Promise<void> = Promise.resolve()
  readonly #workers: LocalWorkers

  constructor(options: LocalNetworkOptions) {
    this.#options = options
    const { paused, entries, progress, logger, secrets } = options
    const sealing = w5Sealing(secrets.user, this.chainKind)
    this.#workers = new LocalWorkers({ paused, reconnectMs, powThread: entries.powThread, sealing, progress, logger })
    this.name = options.joined?.name ?? null
    this.seen = this.#seen
    this.live = this.#live
    this.worker = this.#workers.worker
    this.workerEvents = this.#workers.events
    this.failure = this.#failure
  }

  /** Why nothing works, in a sentence: the start failed, or the chain went down for good. Null when neither is so. */
  get trouble(): string | null {
    const chain = this.#live.value?.chain.state.value
    if (this.#failure.value) return this.#failure.value.message
    if (chain?.status !== 'failed') return null
    return (
      chain.error?.message ??
      'The local chain stopped and could not be started again. Restart the app; everything confirmed is on disk.'
    )
  }

  #keep<T extends { close(): void }>(wallet: T): T {
    this.#wallets.push(wallet)
    return wallet
  }

  /** Builds everything up to the client. A failure shows in `failure` and in the start's progress; it is not thrown. */
  start(): Promise<void> {
    this.#building = this.#build().then(
      (live) => {
        if (!this.#stopping.signal.aborted) this.#live.set(live)
      },
      (thrown: unknown) => {
        if (!this.#stopping.signal.aborted) this.#failure.set(asError(thrown))
      },
    )
    return this.#building
  }

  async #build(): Promise<LiveNetwork> {
    const { paths, secrets, chainId, entries, progress, logger, room } = this.#options
    const { signal } = this.#stopping
    /** What is opened after the stop is closed by it all the same, and nothing follows. */
    const closeLater = (close: () => Promise<void> | void): void => {
      this.#closers.push(close)
      signal.throwIfAborted()
    }

    const chain = await progress.run(
      'chain',
      () =>
        LocalChain.start({
          entry: entries.chain,
          dataDir: paths.chain,
          genesis: localGenesis(secrets),
          signal,
          logger: logger.room('chain'),
        }),
      ({ port }) => `on 127.0.0.1:${port}`,
    )
    closeLater(() => chain.close())

    const { joined } = this.#options
    const rootAddress = joined?.root ?? (await untilAborted(localRoot(chain.chain, secrets), signal))
    // Before anything else can fail: an operator may mend a network with the command line while the app runs.
    tellLocalEndpoint(paths.localEndpoint, { endpoint: chain.endpoint, root: rootAddress, chainId })
    closeLater(() => forgetLocalEndpoint(paths.localEndpoint))
    const root = watchRoot(chain.chain, rootAddress, { intervalMs: rootIntervalMs, logger: logger.room('root') })
    closeLater(() => root.stop())
    const listed = joined && (await progress.run('contracts', () => this.#ownPlace(chain.chain, root, joined)))

    const openPort = (port?: number): Promise<EarlyPort> =>
      openEarly(
        securePort({
          host: '127.0.0.1',
          port: port ?? 0,
          fixed: port !== undefined,
          difficulty: powDifficulty,
          policy: { kind: 'any' },
          logger: logger.room('proxy'),
        }),
      )
    const workerPort = await openPort(listed?.forWorkers.port).catch((thrown) => this.#portFailed(thrown))
    closeLater(() => workerPort.close())
    const clientPort = await openPort(listed?.forClients.port).catch((thrown) => this.#portFailed(thrown))
    closeLater(() => clientPort.close())

    const owner = this.#keep(new W5Wallet(chain.chain, secrets.networkOwner))
    const contracts = await progress.run('contracts', (onProgress) => {
      const place = { chain: chain.chain, keys: secrets, owner, onProgress }
      const ports = { workerPort: workerPort.port, clientPort: clientPort.port }
      const built = joined
        ? joinLocalNetwork({ ...place, root: joined.root })
        : buildLocalNetwork({ ...place, endpoints: localEndpoints(ports) })
      // The chain is closed below what is still to be done.
      return untilAborted(built, signal)
    })
    root.start()
    this.#seen.set({ endpoint: chain.endpoint, root })

    const books = this.#openBooks()
    const wallet = this.#keep(new W5Wallet(chain.chain, secrets.user))
    const proxy = await progress.run('proxy', async () => {
      const proxy = new CocoonProxy(
        {
          owner: contracts.networkOwner,
          checkHashes: false,
          listedModelsOnly: false,
          stakeNano: contracts.config.params.minProxyStake,
          terms: {
            chargeNano: 1_000_000_000n,
            payoutNano: 1_000_000_000_000n,
            chainCommitDelayMs: () => chainCommitDelayMs,
            tickMs: 500,
            resendMs: 30_000,
          },
          dbCommitDelayMs: 100,
          testnet: false,
          databasePath: paths.proxyDb,
          acceptLostDatabase: true,
          keptWords: keptWords(books, { network: rootAddress, user: wallet.address }),
        },
        {
          root: root.config,
          side: {
            kind: 'chain',
            chain: chain.chain,
            sender: this.#keep(new CocoonWallet(chain.chain, secrets.proxyWallet, contracts.networkOwner)),
          },
          key: { publicKey: secrets.proxy.publicKey, signer: keySigner(secrets.proxy.secretKey) },
          openWorkerPort: workerPort.opener,
          openClientPort: clientPort.opener,
          openDatabase: (path, migrations) => openDatabase(path, migrations, { logger, room, chainId }),
          logger: logger.room('proxy'),
        },
      )
      closeLater(() => proxy.stop())
      await proxy.start()
      return proxy
    })
    signal.throwIfAborted()

    const peers = new PeerWatch()
    const client = new Client({
      root: root.config,
      owner: wallet.address,
      money: { chain: chain.chain, wallet },
      masterSecret: secrets.clientMasterSecret,
      database: books.client,
      dial: openDialer(entries.powThread, { check: peers.see }),
      // Test coins need no consent.
      accountTopUp: localTerms.amount,
      logger: logger.room('client'),
      reconnectMs,
    })
    closeLater(() => client.stop())
    client.start()
    const fund = (): Promise<void> => handOutCoins({ chain: chain.chain, keys: secrets, owner })
    const topUps = new TopUpKeeper(client, logger.room('client'), { ...localTerms, fund })
    closeLater(() => topUps.stop())
    void this.#tellProgress(client)
    const nodeWallet = this.#keep(new CocoonWallet(chain.chain, secrets.workerWallet, wallet.address))
    return { chain, contracts, root, proxy, client, peers, topUps, user: wallet.address, nodeWallet }
  }

  /** Before the proxy starts: it may have to learn from them what it had told. */
  #openBooks(): { readonly client: Database; readonly worker: Database } {
    const { paths, chainId, progress, logger, room } = this.#options
    const client = progress.piece('client', () => openDatabase(paths.clientDb, clientMigrations, { logger, room, chainId }))
    this.#closers.push(() => client.close())
    const worker = progress.piece('worker', () => openDatabase(paths.workerDb, workerMigrations, { logger, room, chainId }))
    this.#closers.push(() => worker.close())
    this.#workerDatabase = worker
    return { client, worker }
  }

  /**
   * Where a network that somebody deployed lists a proxy on this computer. The list is its owner's: the proxy goes where it says.
   * @throws Failure `network-without-own-proxy`, or of `RootWatcher.refresh`
   */
  async #ownPlace(chain: Chain, root: RootWatcher, joined: { name: string }): Promise<ProxyEndpoints> {
    const { proxies } = await root.refresh(this.#stopping.signal)
    root.start()
    this.#seen.set({ endpoint: chain.endpoint, root })
    const [first] = proxies
    if (first?.forWorkers.host === '127.0.0.1' && first.forClients.host === '127.0.0.1') return first
    const lists = first === undefined ? 'lists no proxy' : 'lists a proxy on another computer first'
    throw new Failure('network-without-own-proxy', `The network ${joined.name} ${lists}, so nobody serves it here.`, {
      advice:
        'As its owner, list one of this computer: cocoon-desktop network register-proxy <network file> "127.0.0.1:5101 127.0.0.1:5102". Then start the app again.',
    })
  }

  #portFailed(thrown: unknown): never {
    const { joined, progress } = this.#options
    const reason = asError(thrown).message
    const failure = joined
      ? new Failure('port-taken', `A port that ${joined.name} lists for its proxy cannot be opened: ${reason}`, {
          advice: 'End the program that uses it, or list another port: cocoon-desktop network update-proxy.',
          retryable: true,
          cause: thrown,
        })
      : asError(thrown)
    progress.set('proxy', 'failed', messageAndAdvice(failure))
    throw failure
  }

  /** Until the client is ready for the first time. */
  async #tellProgress(client: Client): Promise<void> {
    const { progress } = this.#options
    const stop = new AbortController()
    this.#closers.push(() => stop.abort())
    for await (const {
      connections: [first],
    } of client.state.values(stop.signal)) {
      if (first?.phase === 'ready') return progress.set('client', 'ready')
      if (first) progress.set('client', 'working', first.failure ?? first.sentence)
    }
  }

  /** Serves `backend` as worker of this network, in place of what it served before. Null when the network could not start. */
  async serve(backend: OpenAiBackend, modelName: string): Promise<Worker | null> {
    const live = this.#live.value
    const database = this.#workerDatabase
    return live && database ? this.#workers.serve(live, database, backend, modelName) : null
  }

  setPaused(paused: boolean): void {
    this.#workers.setPaused(paused)
  }

  stopServing(): Promise<void> {
    return this.#workers.stopServing()
  }

  #closeWallets(): void {
    for (const wallet of this.#wallets) wallet.close()
  }

  async stop(): Promise<void> {
    // A wallet that still waits for the chain would hold everything up: what it sent is on its way, and the next start reads the chain.
    setTimeout(() => this.#closeWallets(), walletGraceMs).unref()
    this.#stopping.abort(new Error('The app stops.'))
    await this.#workers.stop()
    this.#live.set(null)
    await this.#closeAll()
    // A start that was under way fails with its chain; what it had opened meanwhile is closed too.
    await this.#building
    await this.#closeAll()
  }

  async #closeAll(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close()
      } catch (thrown) {
        this.#options.logger.error('a part of the network could not be closed in order', { reason: asError(thrown).message })
      }
    }
  }
}
