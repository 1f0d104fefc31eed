import type { Address } from '@ton/core'
import type { ProxyEndpoints } from '../../contracts/net-address.ts'
import { asError, Failure, messageAndAdvice, type Told } from '../base/failure.ts'
import type { Feed } from '../base/feed.ts'
import type { Logger } from '../base/logger.ts'
import { follow, Signal, type Watchable } from '../base/signal.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { ChildEntries } from '../child-entries.ts'
import { clientMigrations } from '../client/account-store.ts'
import { Client } from '../client/client.ts'
import { localTerms, TopUpKeeper } from '../client/top-up-keeper.ts'
import {
  buildLocalNetwork,
  handOutCoins,
  joinAsGuest,
  joinLocalNetwork,
  localEndpoints,
  localGenesis,
  localRoot,
} from '../localnet/genesis.ts'
import { LocalChain } from '../localnet/local-chain.ts'
import { noQuoteJudge, type QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import type { DiskRoom } from '../storage/disk-room.ts'
import type { DataPaths } from '../storage/files.ts'
import type { Chain } from '../ton/chain.ts'
import { otherChains } from '../ton/root-agreement.ts'
import { type RootConfig, type RootWatcher, watchRoot } from '../ton/root-config.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import type { Worker } from '../worker/worker.ts'
import type { WorkerEvent } from '../worker/worker-event.ts'
import type { AppNetwork, LiveNetwork, Offering, SeenRoot } from './app-network.ts'
import { PeerWatch } from './checks/seen-peer.ts'
import { keptWords } from './kept-words.ts'
import { forgetLocalEndpoint, tellLocalEndpoint } from './local-endpoint.ts'
import type { LocalSecrets } from './local-keys.ts'
import { LocalWorkers } from './local-workers.ts'
import { demandsAttestation, dialByContract, watchNoWorker, workerPolicyOf } from './network-attestation.ts'
import { makeOwnProxy, ownPort } from './own-proxy.ts'
import { workerSealing } from './sealing-identity.ts'
import type { StartProgress } from './start-progress.ts'

/** Values of the local network that are not in its contracts (architecture, Networks). */
const rootIntervalMs = 5000
const reconnectMs = 1500
const walletGraceMs = 5000

interface Books {
  readonly client: Database
  readonly worker: Database
}

export interface LocalNetworkOptions {
  readonly paths: DataPaths
  readonly secrets: LocalSecrets
  /** Which chain the books have to be of; undefined when that is not known. */
  readonly chainId?: number | undefined
  /** A network that was deployed on the local chain with the operator's tool; the computer's own when left out. */
  readonly joined?: JoinedNetwork
  /** Judges what proxies and workers attest, where the network contract demands that; left out, no quote is believed. */
  readonly quotes?: QuoteJudge
  readonly entries: ChildEntries
  readonly progress: StartProgress
  /** Whether the user had paused earning when the app ended last. */
  readonly paused: boolean
  /** Told when a book finds no room on the disk. */
  readonly room?: DiskRoom
  readonly logger: Logger
}

export interface JoinedNetwork {
  readonly name: string
  readonly root: Address
  /** That the app runs no proxy there: it speaks to those that the network lists. One that has to attest is never run by the app. */
  readonly listedProxies: boolean
  /** Asked for the network contract too, beside the app's own chain. */
  readonly endpoints?: readonly string[]
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
  readonly noWorker: Watchable<Told | null>
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
  #books: Books | undefined
  /** Aborts with the end of the app: nothing is begun after it. */
  readonly #stopping = new AbortController()
  #building: Promise<void> = Promise.resolve()
  readonly #workers: LocalWorkers

  constructor(options: LocalNetworkOptions) {
    this.#options = options
    const { paused, entries, progress, logger, secrets } = options
    const { quotes = noQuoteJudge } = options
    const root = new Signal<RootConfig | null>(null)
    const tellRoot = (): void => root.set(this.#seen.value?.root.config.value ?? null)
    follow(this.#seen, (seen) => seen.root.config.onChange(tellRoot), tellRoot)
    this.noWorker = watchNoWorker(root)
    this.#workers = new LocalWorkers({
      paused,
      reconnectMs,
      dial: dialByContract({ powThread: entries.powThread, root, quotes }),
      sealing: (engine) => workerSealing(secrets.user, this.chainKind, engine),
      progress,
      logger,
    })
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
    const { paths, secrets, chainId, entries, progress, logger } = this.#options
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
    const others = otherChains(this.chainKind, joined?.endpoints ?? [], logger.room('chain'))
    const root = watchRoot(chain.chain, rootAddress, {
      intervalMs: rootIntervalMs,
      others,
      logger: logger.room('root'),
    })
    closeLater(() => root.stop())
    const place = joined && (await progress.run('contracts', () => this.#ownPlace(chain.chain, root, joined)))
    const owner = this.#keep(new W5Wallet(chain.chain, secrets.networkOwner))
    const wallet = this.#keep(new W5Wallet(chain.chain, secrets.user))
    const { contracts, own } =
      joined && !place
        ? await this.#beGuest(chain, owner, joined)
        : await this.#runProxy({ chain, root, owner, user: wallet.address, place, closeLater })
    const books = this.#openBooks()
    signal.throwIfAborted()

    const peers = new PeerWatch()
    const { quotes = noQuoteJudge } = this.#options
    const client = new Client({
      root: root.config,
      owner: wallet.address,
      money: { chain: chain.chain, wallet },
      masterSecret: secrets.clientMasterSecret,
      database: books.client,
      dial: dialByContract({ powThread: entries.powThread, root: root.config, quotes, see: peers.see }),
      dialChecksImageHashes: true,
      workerPolicy: () => workerPolicyOf(root.config.value, quotes),
      // Test coins need no consent.
      accountTopUp: localTerms.amount,
      // Also where others are listed: the practice network is this app's proxy alone, and an account elsewhere would hold the client there.
      onlyProxy: own?.endpoints.forClients,
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
    return { chain, contracts, root, own, client, peers, topUps, user: wallet.address, nodeWallet }
  }

  /** The proxy of this app, and the contracts behind it. */
  async #runProxy(parts: {
    readonly chain: LocalChain
    readonly root: RootWatcher
    readonly owner: W5Wallet
    readonly user: Address
    /** Where the network lists it; the app's own network lists what it finds. */
    readonly place: ProxyEndpoints | null | undefined
    readonly closeLater: (close: () => Promise<void> | void) => void
  }): Promise<Pick<LiveNetwork, 'contracts' | 'own'>> {
    const { chain, root, owner, user, place, closeLater } = parts
    const { paths, secrets, chainId, progress, logger, room, joined } = this.#options
    const { signal } = this.#stopping
    const workerPort = await ownPort(logger, place?.forWorkers.port).catch((thrown) => this.#portFailed(thrown))
    closeLater(() => workerPort.close())
    const clientPort = await ownPort(logger, place?.forClients.port).catch((thrown) => this.#portFailed(thrown))
    closeLater(() => clientPort.close())
    const contracts = await progress.run('contracts', (onProgress) => {
      const built = { chain: chain.chain, keys: secrets, owner, onProgress }
      const ports = { workerPort: workerPort.port, clientPort: clientPort.port }
      const building = joined
        ? joinLocalNetwork({ ...built, root: joined.root })
        : buildLocalNetwork({ ...built, endpoints: localEndpoints(ports) })
      // The chain is closed below what is still to be done.
      return untilAborted(building, signal)
    })
    root.start()
    this.#seen.set({ endpoint: chain.endpoint, root })
    const books = this.#openBooks()
    const proxy = await progress.run('proxy', async () => {
      const made = makeOwnProxy({
        contracts,
        root,
        chain: chain.chain,
        wallet: this.#keep(new CocoonWallet(chain.chain, secrets.proxyWallet, contracts.networkOwner)),
        key: secrets.proxy,
        workerPort,
        clientPort,
        databasePath: paths.proxyDb,
        keptWords: keptWords(books, { network: contracts.root, user }),
        chainId,
        room,
        logger,
      })
      closeLater(() => made.stop())
      await made.start()
      return made
    })
    const at = (port: number): string => `127.0.0.1:${port}`
    const endpoints = { forWorkers: at(workerPort.port), forClients: at(clientPort.port) }
    return { contracts, own: { proxy, contract: contracts.proxyContract, endpoints } }
  }

  /** A network whose proxies are not part of this app: it is a client there, and a worker where the network takes it. */
  async #beGuest(chain: LocalChain, owner: W5Wallet, { root }: JoinedNetwork): Promise<Pick<LiveNetwork, 'contracts' | 'own'>> {
    const { secrets, progress } = this.#options
    const contracts = await progress.run('contracts', (onProgress) =>
      untilAborted(joinAsGuest({ chain: chain.chain, keys: secrets, owner, root, onProgress }), this.#stopping.signal),
    )
    progress.set('proxy', 'ready', { text: 'Not part of this app', words: { code: 'proxy-elsewhere' } })
    return { contracts, own: null }
  }

  /** Before the proxy starts: it may have to learn from them what it had told. */
  #openBooks(): Books {
    if (this.#books) return this.#books
    const { paths, chainId, progress, logger, room } = this.#options
    const client = progress.piece('client', () => openDatabase(paths.clientDb, clientMigrations, { logger, room, chainId }))
    this.#closers.push(() => client.close())
    const worker = progress.piece('worker', () => openDatabase(paths.workerDb, workerMigrations, { logger, room, chainId }))
    this.#closers.push(() => worker.close())
    this.#books = { client, worker }
    return this.#books
  }

  /**
   * Where a network that somebody deployed lists a proxy on this computer; null where the app runs none. The list is its owner's: the proxy goes where it
   * says.
   * @throws Failure `network-without-own-proxy`, or of `RootWatcher.refresh`
   */
  async #ownPlace(chain: Chain, root: RootWatcher, joined: JoinedNetwork): Promise<ProxyEndpoints | null> {
    const config = await root.refresh(this.#stopping.signal)
    root.start()
    this.#seen.set({ endpoint: chain.endpoint, root })
    if (joined.listedProxies || demandsAttestation(config)) return null
    const { proxies } = config
    const [first] = proxies
    if (first?.forWorkers.host === '127.0.0.1' && first.forClients.host === '127.0.0.1') return first
    const lists = first === undefined ? 'lists no proxy' : 'lists a proxy on another computer first'
    throw new Failure('network-without-own-proxy', `The network ${joined.name} ${lists}, so nobody serves it here.`, {
      advice:
        'As its owner, list one of this computer: cocoon-desktop network register-proxy <network file> "127.0.0.1:5101 127.0.0.1:5102". Then start the app again. Or start it with --listed-proxies, to use those that are listed.',
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

  /** Serves as worker of this network, in place of what it served before. Null when the network could not start, or takes no such worker. */
  async serve(offering: Offering): Promise<Worker | null> {
    const live = this.#live.value
    const books = this.#books
    const noWorker = this.noWorker.value
    if (live && noWorker) {
      this.#options.progress.set('worker', 'ready', noWorker)
      return null
    }
    return live && books ? this.#workers.serve(live, books.worker, offering) : null
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
