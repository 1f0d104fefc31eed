import type { Address } from '@ton/core'
import type { Payout } from '../../preload/api/earn.ts'
import { asError, Failure } from '../base/failure.ts'
import { Feed } from '../base/feed.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { closeWithTerms, keepConnected, type ProxyVisit, requireCheckedHashes } from '../protocol/handshake/keep-connected.ts'
import { ProxyDirectory } from '../protocol/handshake/proxy-directory.ts'
import { handshakeFailure } from '../protocol/handshake/proxy-words.ts'
import { allVersions, checkVersions, type VersionRange } from '../protocol/handshake/versions.ts'
import { KeyRing } from '../protocol/sealed/direct/key-ring.ts'
import { walletAddress } from '../protocol/sealed/direct/owner-wallet.ts'
import { peerErrorCodes, QueryRefused } from '../protocol/wire/wire-error.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { BalanceStore, type WorkerContractRecord } from './balance-store.ts'
import { Cashier } from './cashier.ts'
import { compareAndComplete, introduceWorker, type KnownProxy } from './handshake.ts'
import type { WorkerOptions } from './options.ts'
import { ProxyBalance } from './proxy-balance.ts'
import { ProxyLink, type ProxyLinkContext, refusals } from './proxy-link.ts'
import type { WorkerConnectionState, WorkerState } from './state.ts'
import type { WorkerEvent } from './worker-event.ts'

/** A balance that could not be told or kept, for want of room on a disk, is asked for again after this. */
const catchUpMs = 2_000

type Show = (change: Omit<WorkerConnectionState, 'endpoint'>) => void

const within = ([least, most]: readonly [number, number]): number => least + Math.random() * (most - least)

/**
 * Cocoon worker (protocol 40): keeps connections to the network's proxies, serves their queries with one engine, remembers what they
 * signed, and pays out. `start` it, `stop` it; it can be started again.
 */
export class Worker {
  /** For the earnings ledger. Read it before `start`. */
  readonly events = new Feed<WorkerEvent>()
  readonly #options: WorkerOptions
  readonly #store: BalanceStore
  readonly #versions: VersionRange
  readonly #state: Signal<WorkerState>
  readonly #links = new Set<ProxyLink>()
  readonly #cashier: Cashier
  #keys: { readonly root: Address; readonly ring: KeyRing } | undefined
  #coefficient: number
  #running = 0
  #isDisabled: boolean
  #stopping: AbortController | undefined
  #loops: Promise<unknown> = Promise.resolve()

  constructor(options: WorkerOptions) {
    if (options.modelName.split('@', 1)[0] !== options.backend.model)
      throw new Failure('model-mismatch', `The engine serves ${options.backend.model}, not ${options.modelName}.`)
    if (options.sealing !== undefined && !walletAddress(options.sealing.wallet).equals(options.owner))
      throw new RangeError('the wallet that signs sealing keys is not the one that receives the payouts')
    this.#options = options
    this.#store = new BalanceStore(options.database)
    this.#versions = options.versions ?? allVersions
    checkVersions(this.#versions)
    this.#cashier = new Cashier({
      options,
      store: this.#store,
      emit: (event) => this.events.emit(event),
      onUnpaid: () => {
        const { tokens, worth, contracts } = this.#cashier.unpaid
        this.#update({ unpaidTokens: tokens, unpaid: worth, unpaidContracts: contracts })
      },
    })
    this.#coefficient = options.coefficient ?? 1000
    const engineHealthy = options.backend.healthy()
    this.#isDisabled = !engineHealthy
    this.#state = new Signal<WorkerState>({
      connections: [],
      running: 0,
      paused: false,
      engineHealthy,
      unpaidTokens: 0n,
      unpaid: 0n,
      unpaidContracts: 0,
    })
  }

  get state(): Watchable<WorkerState> {
    return this.#state
  }

  start(): void {
    if (this.#stopping !== undefined) return
    const stopping = new AbortController()
    this.#stopping = stopping
    const directory = new ProxyDirectory('forWorkers', this.#options.reconnectMs ?? 10_000)
    const slots = Array.from({ length: this.#options.proxyConnections ?? 1 }, (_, slot) =>
      this.#keepConnected(slot, directory, stopping.signal),
    )
    this.#loops = Promise.all([...slots, this.#watchHealth(stopping.signal), this.#cashier.follow(stopping.signal)])
  }

  /**
   * Ends all connections at once; running answers are given up and nobody is charged for them. When it resolves, the last event was told
   * and the database is not used any more. Waits for a payout under way.
   */
  async stop(): Promise<void> {
    this.#stopping?.abort()
    this.#stopping = undefined
    await this.#loops
    await this.#cashier.idle()
  }

  /** Takes no new requests; running ones finish. */
  pause(): void {
    this.#update({ paused: true })
    this.#announce()
  }

  resume(): void {
    this.#update({ paused: false })
    this.#announce()
  }

  /** New price factor in thousandths, told to every proxy. */
  setCoefficient(coefficient: number): void {
    if (!Number.isSafeInteger(coefficient) || coefficient < 0 || coefficient >= 1e9)
      throw new RangeError('coefficient out of range')
    this.#coefficient = coefficient
    for (const link of this.#links) void link.setCoefficient(coefficient).catch((error: unknown) => this.#logLost(error))
  }

  /**
   * Pays out the newest signed payment of `contract`, or of the contract with most to pay. One payout at a time.
   * Throws `Failure` with `nothing-to-settle`, `no-blockchain`, and as `settle` in payout.ts.
   */
  settle(contract?: Address): Promise<Payout> {
    return this.#cashier.settle(contract)
  }

  /**
   * Pays out the newest signed payment of every contract: after a change of the network's terms there are several. A contract that fails does not
   * keep the others from being paid out.
   * Throws `Failure` as `settle`, when anything failed; its `money` tells what came all the same.
   */
  settleAll(): Promise<Payout[]> {
    return this.#cashier.settleAll()
  }

  /**
   * Whether a question that is sealed to the key of this id (`SealedWorker.keyId`) can be opened by this worker, and so by nobody else: its keys
   * never leave its memory.
   */
  holdsKey(keyId: string): boolean {
    return this.#keys?.ring.holds(keyId) ?? false
  }

  /** What a contract has paid by the last look, adjusted tokens, and whether a payout of it is under way. */
  paidOut(contract: Address): { readonly tokens: bigint; readonly underWay: boolean } {
    return this.#cashier.paidOut(contract)
  }

  /** Worker contracts of this network with what their proxies signed; oldest first. */
  contracts(): readonly WorkerContractRecord[] {
    return this.#cashier.contracts()
  }

  async #keepConnected(slot: number, directory: ProxyDirectory, signal: AbortSignal): Promise<void> {
    const { logger, root } = this.#options
    const show = (endpoint: string, change: Parameters<Show>[0]): void => this.#showConnection(slot, { endpoint, ...change })
    await keepConnected(
      {
        root,
        directory,
        logger,
        favoured: (config) => ({ only: this.#options.onlyProxy, known: this.#knownEndpoints(config) }),
        stay: (visit) =>
          this.#serveProxy(
            visit,
            (change) => {
              if (change.phase === 'ready') visit.isReady()
              show(visit.endpoint, change)
            },
            signal,
          ),
        onEnd: (endpoint, failure) => show(endpoint, { phase: 'waiting', ...failure }),
      },
      signal,
    )
    this.#update({ connections: [] })
  }

  /** Proxies that this worker has a contract with under the present terms: another one would have to be deployed. */
  #knownEndpoints(root: RootConfig): Set<string> {
    const { paramsVersion } = root.params
    const records = this.#store.ofNetwork(root.address.toString())
    return new Set(records.filter((record) => record.paramsVersion === paramsVersion).map(({ endpoint }) => endpoint))
  }

  /** One connection from dialling to its end, which it throws. */
  async #serveProxy({ root, endpoint, proxy: entry, measured }: ProxyVisit, show: Show, signal: AbortSignal): Promise<never> {
    requireCheckedHashes(root, this.#options.dialChecksImageHashes)
    show({ phase: 'connecting' })
    const connection = await this.#options.dial(entry.forWorkers, signal)
    const timeoutMs = this.#options.handshakeTimeoutMs ?? 30_000
    const ended = new AbortController()
    const stopWatching = closeWithTerms(connection, this.#options.root, root, { signal, reason: 'The worker stops' })
    let link: ProxyLink | undefined
    try {
      await connection.start({
        onPacket: (data) => {
          if (link === undefined) throw handshakeFailure('The proxy sent a message before the handshake was complete.')
          link.onPacket(data)
        },
        onQuery: (data) => {
          if (link === undefined) throw new QueryRefused(peerErrorCodes.notReady, 'the handshake is not complete')
          return link.onQuery(data)
        },
      })
      show({ phase: 'handshake' })
      const said = this.#identity()
      const askedAt = performance.now()
      const proxy = await introduceWorker(connection, said, root, timeoutMs)
      measured(performance.now() - askedAt)
      const balance = this.#balanceOf(proxy, root, endpoint)
      const told = { proxyContract: proxy.proxyContract, workerContract: proxy.workerContract }
      // The link listens before the last step: the proxy may send a query right behind its answer.
      link = new ProxyLink(connection, proxy, balance, this.#linkContext(root))
      const saidDisabled = this.#isDisabled
      const { lost } = await compareAndComplete(connection, balance, saidDisabled, timeoutMs)
      this.#links.add(link)
      await link.announceKey()
      // Each time: what got lost with the last connection, on a full disk or with the ledger itself, is learnt now.
      link.tellTotal(lost)
      // What changed while the handshake ran.
      if (this.#coefficient !== said.coefficient) await link.setCoefficient(this.#coefficient)
      if (this.#isDisabled !== saidDisabled) await link.setDisabled(this.#isDisabled)
      show({ phase: 'ready', ...told })
      this.#cashier.deployOnce(proxy)
      void this.#askStatus(link, proxy, ended.signal).catch((thrown: unknown) => connection.close(asError(thrown).message))
      throw await connection.closed
    } catch (thrown) {
      connection.close(asError(thrown).message)
      throw thrown
    } finally {
      if (link !== undefined) this.#links.delete(link)
      ended.abort()
      stopWatching()
      // The last events of its requests come before the next connection, and before `stop` lets the database be closed.
      await link?.idle()
    }
  }

  #identity() {
    return {
      owner: this.#options.owner,
      model: this.#options.modelName,
      coefficient: this.#coefficient,
      proxyCount: this.#options.proxyConnections ?? 1,
      maxActiveRequests: this.#options.maxActiveRequests ?? 8,
      versions: this.#versions,
      machine: this.#options.machineDescription,
      seals: this.#options.sealing !== undefined,
    }
  }

  #balanceOf(proxy: KnownProxy, root: RootConfig, endpoint: string): ProxyBalance {
    const record = this.#store.open({
      contract: proxy.workerContract,
      network: root.address.toString(),
      proxyContract: proxy.proxyContract,
      proxyKey: proxy.publicKey,
      feePerToken: root.params.workerFeePerToken,
      paramsVersion: root.params.paramsVersion,
      endpoint,
      init: proxy.workerInit,
      nowMs: Date.now(),
    })
    // Told again at each connection: a ledger that missed it, because the app ended in between, learns it now.
    if (record.signedTokens > 0n)
      this.events.emit({ type: 'signed', workerContract: record.contract.toString(), tokens: record.signedTokens })
    return new ProxyBalance(this.#store, record, (tokens) => {
      this.events.emit({ type: 'signed', workerContract: record.contract.toString(), tokens })
      this.#cashier.signed(record.contract)
    })
  }

  /** One for all proxies of a network: a question that was opened through one is not opened again through another. */
  #keyRing({ address: root }: RootConfig): KeyRing | undefined {
    const { sealing, owner, modelName: model } = this.#options
    if (sealing === undefined) return undefined
    if (this.#keys === undefined || !this.#keys.root.equals(root))
      this.#keys = { root, ring: new KeyRing({ identity: sealing, root, owner, model, now: Date.now }) }
    return this.#keys.ring
  }

  #linkContext(root: RootConfig): ProxyLinkContext {
    return {
      backend: this.#options.backend,
      logger: this.#options.logger,
      tariff: () => ({
        coefficient: this.#coefficient,
        multipliers: root.params.multipliers,
        pricePerToken: root.params.pricePerToken,
      }),
      workerFeePerToken: () => root.params.workerFeePerToken,
      admit: () => {
        if (this.#isDisabled) return refusals.paused
        if (this.#running >= (this.#options.maxActiveRequests ?? 8)) return refusals.full
        this.#update({ running: ++this.#running })
        return { release: () => this.#update({ running: --this.#running }) }
      },
      keyRing: this.#keyRing(root),
      onKey: (sealingKey) => this.#update({ sealingKey }),
      changeModel: this.#options.changeModel,
      knowsPrivateKey: this.#options.knowsPrivateKey,
      emit: (event) => this.events.emit(event),
      now: Date.now,
    }
  }

  async #askStatus(link: ProxyLink, proxy: KnownProxy, signal: AbortSignal): Promise<void> {
    let upToDate = true
    for (;;) {
      await this.#cashier.readPaid(proxy.workerContract).catch((error: unknown) => this.#logLost(error))
      const usualMs = within(this.#options.paymentStatusMs ?? [10_000, 20_000])
      await pause(upToDate ? usualMs : Math.min(usualMs, catchUpMs), signal)
      if (signal.aborted) return
      upToDate = await link.updatePaymentStatus(60_000)
      await link.announceKey()
    }
  }

  /** Looks at the engine now instead of at the next turn: for who knows that something has changed. */
  checkHealth(): void {
    const engineHealthy = this.#options.backend.healthy()
    if (engineHealthy !== this.#state.value.engineHealthy) this.#update({ engineHealthy })
    this.#announce()
  }

  async #watchHealth(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.checkHealth()
      await pause(this.#options.healthCheckMs ?? 1_000, signal)
    }
  }

  /** Tells every proxy when the worker's readiness changed. */
  #announce(): void {
    const { paused, engineHealthy } = this.#state.value
    const isDisabled = paused || !engineHealthy
    if (isDisabled === this.#isDisabled) return
    this.#isDisabled = isDisabled
    for (const link of this.#links) void link.setDisabled(isDisabled).catch((error: unknown) => this.#logLost(error))
  }

  #showConnection(slot: number, connection: WorkerConnectionState): void {
    const connections = [...this.#state.value.connections]
    // The last failure stays visible over the next attempts, until one succeeds.
    const last = connection.phase === 'ready' ? undefined : connections[slot]
    const kept = last?.failure === undefined ? {} : { failure: last.failure, failureWords: last.failureWords }
    connections[slot] = { ...kept, ...connection }
    this.#update({ connections: connections.filter((one) => one !== undefined) })
  }

  #update(change: Partial<WorkerState>): void {
    this.#state.update((state) => ({ ...state, ...change }))
  }

  #logLost(error: unknown): void {
    this.#options.logger.debug('not sent', { reason: asError(error).message })
  }
}
