import type { Address } from '@ton/core'
import { beginCell } from '@ton/core'
import { ATTACH } from '../../contracts/common.ts'
import type { NetAddress } from '../../contracts/net-address.ts'
import { workerInit } from '../../contracts/worker.ts'
import type { Payout } from '../../preload/api/earn.ts'
import { asError, Failure, wordsOf } from '../base/failure.ts'
import { Feed } from '../base/feed.ts'
import { pause } from '../base/pause.ts'
import { ReconnectPace } from '../base/reconnect-pace.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { handshakeFailure } from '../protocol/handshake/proxy-words.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { BalanceStore, type WorkerContractRecord } from './balance-store.ts'
import { compareAndComplete, introduceWorker, type KnownProxy } from './handshake.ts'
import type { WorkerOptions } from './options.ts'
import { nothingToSettle, type PayoutContext, paidTokens, settle, settledByOthers } from './payout.ts'
import { ProxyBalance } from './proxy-balance.ts'
import { ProxyLink, type ProxyLinkContext, refusals } from './proxy-link.ts'
import type { WorkerConnectionState, WorkerState } from './state.ts'
import type { WorkerEvent } from './worker-event.ts'

/** A balance that could not be told or kept, for want of room on a disk, is asked for again after this. */
const catchUpMs = 2_000

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
  readonly #state: Signal<WorkerState>
  readonly #links = new Set<ProxyLink>()
  /** Adjusted tokens that the contracts on chain have paid, by contract address. */
  readonly #paid = new Map<string, bigint>()
  #coefficient: number
  #running = 0
  #isDisabled: boolean
  #stopping: AbortController | undefined
  #loops: Promise<unknown> = Promise.resolve()
  #settling: Promise<unknown> = Promise.resolve()

  constructor(options: WorkerOptions) {
    if (options.modelName.split('@', 1)[0] !== options.backend.model)
      throw new Failure('model-mismatch', `The engine serves ${options.backend.model}, not ${options.modelName}.`)
    this.#options = options
    this.#store = new BalanceStore(options.database)
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
    })
  }

  get state(): Watchable<WorkerState> {
    return this.#state
  }

  start(): void {
    if (this.#stopping !== undefined) return
    const stopping = new AbortController()
    this.#stopping = stopping
    const slots = Array.from({ length: this.#options.proxyConnections ?? 1 }, (_, slot) =>
      this.#keepConnected(slot, stopping.signal),
    )
    this.#loops = Promise.all([...slots, this.#watchHealth(stopping.signal)])
  }

  /**
   * Ends all connections at once; running answers are given up and nobody is charged for them. When it resolves, the last event was told
   * and the database is not used any more. Waits for a payout under way.
   */
  async stop(): Promise<void> {
    this.#stopping?.abort()
    this.#stopping = undefined
    await this.#loops
    await this.#settling
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
    const payout = this.#settling.then(() => this.#settle(contract))
    this.#settling = payout.catch(() => undefined)
    return payout
  }

  /** Worker contracts of this network with what their proxies signed; oldest first. */
  contracts(): readonly WorkerContractRecord[] {
    const root = this.#options.root.value
    return root === null ? [] : this.#store.ofNetwork(root.address.toString())
  }

  async #settle(contract: Address | undefined): Promise<Payout> {
    const { money, root } = this.#options
    if (money === undefined) throw new Failure('no-blockchain', 'This network has no blockchain, so nothing can be paid out.')
    const config = root.value
    if (config === null) throw new Failure('network-unknown', 'The network contract has not been read yet.', { retryable: true })
    const records = this.contracts().filter((record) => contract === undefined || record.contract.equals(contract))
    const open: { record: WorkerContractRecord; worth: bigint }[] = []
    const paidByOthers: { record: WorkerContractRecord; before: bigint }[] = []
    for (const record of records) {
      const before = this.#paid.get(record.contract.toString())
      const paid = await this.#readPaid(record.contract)
      const worth = (record.signedTokens - paid) * record.feePerToken
      if (worth > 0n) open.push({ record, worth })
      else if (before !== undefined && before < record.signedTokens) paidByOthers.push({ record, before })
    }
    open.sort((one, other) => (one.worth < other.worth ? 1 : -1))
    const context: PayoutContext = {
      ...money,
      owner: this.#options.owner,
      params: config.params,
      timeoutMs: this.#options.payoutTimeoutMs ?? 120_000,
      now: Date.now,
      report: (report) => this.events.emit({ type: 'payout', payout: report }),
    }
    const first = open[0]?.record
    if (first === undefined) {
      // What was open at the last look was paid out since, by the proxy or somebody else: that is what was wanted.
      const [done] = paidByOthers
      if (done === undefined) throw nothingToSettle()
      return await settledByOthers(done.record, done.before, context)
    }
    const payout = await settle(first, context)
    await this.#readPaid(first.contract)
    return payout
  }

  /** Reads what the contract has paid, and tells when it grew. */
  async #readPaid(contract: Address): Promise<bigint> {
    const { money } = this.#options
    if (money === undefined) return 0n
    const tokens = await paidTokens(money.chain, contract)
    const name = contract.toString()
    if (tokens > (this.#paid.get(name) ?? 0n)) this.events.emit({ type: 'settled', workerContract: name, tokens })
    this.#paid.set(name, tokens)
    this.#updateUnpaid()
    return tokens
  }

  /** Keeps one connection open, to the proxy at this place of the root's list, until `signal` aborts. */
  async #keepConnected(slot: number, signal: AbortSignal): Promise<void> {
    const { logger, root } = this.#options
    const longestMs = this.#options.reconnectMs ?? 10_000
    const pace = new ReconnectPace(longestMs)
    for await (const config of root.values(signal)) if (config !== null) break
    while (!signal.aborted) {
      const config = root.value
      const proxy = config?.proxies[slot]
      let pauseMs = longestMs
      if (config !== null && proxy !== undefined) {
        const address = proxy.forWorkers
        let readyAtMs: number | undefined
        const show = (change: Omit<WorkerConnectionState, 'endpoint'>): void => {
          if (change.phase === 'ready') readyAtMs ??= performance.now()
          this.#showConnection(slot, { endpoint: `${address.host}:${address.port}`, ...change })
        }
        try {
          await this.#serveProxy(config, address, show, signal)
        } catch (thrown) {
          if (signal.aborted) break
          const failure = asError(thrown)
          logger.warn('proxy connection ended', { reason: failure.message })
          show({ phase: 'waiting', failure: failure.message, failureWords: wordsOf(thrown) })
          pauseMs = pace.ended(readyAtMs === undefined ? 0 : performance.now() - readyAtMs)
        }
      }
      await pause(pauseMs, signal)
    }
    this.#update({ connections: [] })
  }

  /** One connection from dialling to its end, which it throws. */
  async #serveProxy(
    root: RootConfig,
    address: NetAddress,
    show: (change: Omit<WorkerConnectionState, 'endpoint'>) => void,
    signal: AbortSignal,
  ): Promise<never> {
    if (!root.params.isTest && this.#options.dialChecksImageHashes !== true)
      throw handshakeFailure('This network demands attested proxies, which cannot be checked here.')
    show({ phase: 'connecting' })
    const connection = await this.#options.dial(address, signal)
    const timeoutMs = this.#options.handshakeTimeoutMs ?? 30_000
    const ended = new AbortController()
    const onStop = (): void => connection.close('The worker stops')
    signal.addEventListener('abort', onStop)
    // New terms give new contract addresses: every connection starts afresh (protocol 00 §6).
    const stopWatching = this.#options.root.onChange((config) => {
      if (config !== null && config.params.paramsVersion !== root.params.paramsVersion)
        connection.close('The terms of the network changed')
    })
    let link: ProxyLink | undefined
    try {
      if (signal.aborted) onStop()
      await connection.start({
        onPacket: (data) => {
          if (link === undefined) throw handshakeFailure('The proxy sent a message before the handshake was complete.')
          link.onPacket(data)
        },
      })
      show({ phase: 'handshake' })
      const said = this.#identity()
      const proxy = await introduceWorker(connection, said, root, timeoutMs)
      const balance = this.#balanceOf(proxy, root)
      const told = { proxyContract: proxy.proxyContract, workerContract: proxy.workerContract }
      // The link listens before the last step: the proxy may send a query right behind its answer.
      link = new ProxyLink(connection, proxy, balance, this.#linkContext(root))
      const saidDisabled = this.#isDisabled
      const { lost } = await compareAndComplete(connection, balance, saidDisabled, timeoutMs)
      this.#links.add(link)
      // Each time: what got lost with the last connection, on a full disk or with the ledger itself, is learnt now.
      link.tellTotal(lost)
      // What changed while the handshake ran.
      if (this.#coefficient !== said.coefficient) await link.setCoefficient(this.#coefficient)
      if (this.#isDisabled !== saidDisabled) await link.setDisabled(this.#isDisabled)
      show({ phase: 'ready', ...told })
      this.#deployOnce(proxy, root)
      void this.#askStatus(link, proxy, ended.signal).catch((thrown: unknown) => connection.close(asError(thrown).message))
      throw await connection.closed
    } catch (thrown) {
      connection.close(asError(thrown).message)
      throw thrown
    } finally {
      if (link !== undefined) this.#links.delete(link)
      ended.abort()
      stopWatching()
      signal.removeEventListener('abort', onStop)
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
    }
  }

  #balanceOf(proxy: KnownProxy, root: RootConfig): ProxyBalance {
    const record = this.#store.open({
      contract: proxy.workerContract,
      network: root.address.toString(),
      proxyContract: proxy.proxyContract,
      proxyKey: proxy.publicKey,
      feePerToken: root.params.workerFeePerToken,
      nowMs: Date.now(),
    })
    // Told again at each connection: a ledger that missed it, because the app ended in between, learns it now.
    if (record.signedTokens > 0n)
      this.events.emit({ type: 'signed', workerContract: record.contract.toString(), tokens: record.signedTokens })
    return new ProxyBalance(this.#store, record, (tokens) => {
      this.events.emit({ type: 'signed', workerContract: record.contract.toString(), tokens })
      this.#updateUnpaid()
      this.#payAutomatically(record.contract)
    })
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
      emit: (event) => this.events.emit(event),
      now: Date.now,
    }
  }

  async #askStatus(link: ProxyLink, proxy: KnownProxy, signal: AbortSignal): Promise<void> {
    let upToDate = true
    for (;;) {
      await this.#readPaid(proxy.workerContract).catch((error: unknown) => this.#logLost(error))
      const usualMs = within(this.#options.paymentStatusMs ?? [10_000, 20_000])
      await pause(upToDate ? usualMs : Math.min(usualMs, catchUpMs), signal)
      if (signal.aborted) return
      upToDate = await link.updatePaymentStatus(60_000)
    }
  }

  /** First contact: the worker contract must exist before anything can be paid out of it (protocol 40 §2). */
  #deployOnce(proxy: KnownProxy, root: RootConfig): void {
    const { money, logger, owner } = this.#options
    if (money === undefined) return
    const deploy = async (): Promise<void> => {
      const { status } = await money.chain.account(proxy.workerContract)
      if (status === 'active') return
      const { address, init } = workerInit({ owner, proxy: proxy.proxyContract, publicKey: proxy.publicKey, params: root.params })
      await money.nodeWallet.send([{ to: address, value: ATTACH.workerDeploy, body: beginCell().endCell(), init, bounce: false }])
      logger.info('worker contract deployed', { address: address.toString() })
    }
    // Payouts wait for it; if it fails, the payout message deploys the contract itself.
    this.#settling = this.#settling.then(deploy).catch((error: unknown) => {
      logger.warn('worker contract not deployed', { reason: asError(error).message })
    })
  }

  #payAutomatically(contract: Address): void {
    const above = this.#options.automaticPayoutAbove
    if (above === undefined || this.#options.money === undefined || this.#unpaid().worth < above) return
    void this.settle(contract).catch((error: unknown) => {
      this.#options.logger.warn('automatic payout failed', { reason: asError(error).message })
    })
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

  #unpaid(): { tokens: bigint; worth: bigint } {
    let [tokens, worth] = [0n, 0n]
    for (const record of this.contracts()) {
      const open = record.signedTokens - (this.#paid.get(record.contract.toString()) ?? 0n)
      if (open <= 0n) continue
      tokens += open
      worth += open * record.feePerToken
    }
    return { tokens, worth }
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

  /** What is unpaid changes with what was signed and what was paid. */
  #updateUnpaid(): void {
    const { tokens, worth } = this.#unpaid()
    this.#update({ unpaidTokens: tokens, unpaid: worth })
  }

  #logLost(error: unknown): void {
    this.#options.logger.debug('not sent', { reason: asError(error).message })
  }
}
