import type { Address } from '@ton/core'
import type { NetAddress } from '../../contracts/net-address.ts'
import { asError, Failure } from '../base/failure.ts'
import { Feed } from '../base/feed.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { handshakeFailure } from '../protocol/handshake/proxy-words.ts'
import { validateRequest } from '../protocol/requests/validate-request.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { Account } from './account.ts'
import { AccountKeeper } from './account-keeper.ts'
import { type AccountRecord, AccountStore } from './account-store.ts'
import { authorize, introduceClient, type KnownProxy } from './handshake.ts'
import { OldAccounts } from './old-accounts.ts'
import type { ClientEvent, ClientOptions } from './options.ts'
import { type ModelOffer, ProxyLink } from './proxy-link.ts'
import { localFailure, paidNothing } from './query-failure.ts'
import { RegistrationPace } from './registration-pace.ts'
import type { QueryHandle } from './running-query.ts'
import { contractSecret, secretHash } from './secret.ts'
import { type ClientConnectionState, type ClientState, sentences } from './state.ts'

export interface ChatRequest {
  /** Base name of the model, as the proxy lists it. */
  readonly model: string
  /** OpenAI request object as JSON text; its `model` must be the same. */
  readonly body: string
  /** `/v1/chat/completions` by default. */
  readonly path?: string
  /** Adjusted-token reservation and limit of the answer; 512 by default. The body's own limit is not changed. */
  readonly maxTokens?: number
  /** Highest price factor of a worker, in thousandths; 1000 by default. */
  readonly maxCoefficient?: number
  /** 120 s by default. */
  readonly timeoutMs?: number
}

type Show = (change: Partial<ClientConnectionState> & Pick<ClientConnectionState, 'phase'>) => void

const within = ([least, most]: readonly [number, number]): number => least + Math.random() * (most - least)

/**
 * Cocoon client (protocol 30): keeps connections to the network's proxies, the accounts with them, and runs queries. Nothing is sent that
 * costs money before `openAccount` was called for it. `start` it, `stop` it; it can be started again.
 */
export class Client {
  /** Charges and deviations. */
  readonly events = new Feed<ClientEvent>()
  /** Top up, charge, refund, withdraw, and the list of accounts. */
  readonly accounts: AccountKeeper
  readonly #options: ClientOptions
  readonly #store: AccountStore
  readonly #state = new Signal<ClientState>({ connections: [], running: 0, returning: [] })
  readonly #links = new Map<number, ProxyLink>()
  readonly #pace = new RegistrationPace()
  #consent = Promise.withResolvers<{ readonly topUp: bigint }>()
  #stopping: AbortController | undefined
  #loops: Promise<unknown> = Promise.resolve()

  constructor(options: ClientOptions) {
    this.#options = options
    this.#store = new AccountStore(options.database)
    this.accounts = new AccountKeeper(options.money, this.#store, options.logger)
  }

  get state(): Watchable<ClientState> {
    return this.#state
  }

  start(): void {
    if (this.#stopping !== undefined) return
    const stopping = new AbortController()
    this.#stopping = stopping
    const slots = Array.from({ length: this.#options.proxyConnections ?? 1 }, (_, slot) =>
      this.#keepConnected(slot, stopping.signal),
    )
    const { logger, money, oldAccountsMs, root } = this.#options
    const old = new OldAccounts({ root, accounts: this.accounts, logger, everyMs: oldAccountsMs ?? 10_000 })
    const showOld = old.returning.onChange((returning) => this.#state.update((state) => ({ ...state, returning })))
    const closing = money === undefined ? undefined : old.run(stopping.signal)
    this.#loops = Promise.all([...slots, closing]).finally(showOld)
  }

  /** Ends all connections; queries under way fail with `connection-lost`. */
  async stop(): Promise<void> {
    this.#stopping?.abort()
    this.#stopping = undefined
    await this.#loops
  }

  /**
   * The user's agreement to open an account with the next proxy that has none: deploys the client contract, registers, and puts `topUp`
   * nanoton on it. Where the account exists already nothing is sent. Resolves when a connection is ready; rejects when `signal` aborts.
   */
  async openAccount(options: { readonly topUp: bigint }, signal: AbortSignal): Promise<void> {
    this.#consent.resolve(options)
    try {
      await this.whenReady(signal)
    } finally {
      // An agreement that was not needed, or given up, must not open another account later.
      this.#consent = Promise.withResolvers()
    }
  }

  /** Resolves when a connection is ready; rejects when `signal` aborts. */
  async whenReady(signal: AbortSignal): Promise<void> {
    for await (const state of this.#state.values(signal)) if (state.connections.some((one) => one.phase === 'ready')) return
    throw new Failure('stopped', 'Waiting for the proxy was given up.')
  }

  /**
   * Sends a chat request to the first ready proxy. Aborting `signal` stops it: see `QueryEnd.stopped`.
   * Throws `Failure` with `invalid-request`, `stopped` or `no-connection`: nothing was sent. Later failures show in the handle.
   */
  runChat(request: ChatRequest, signal: AbortSignal): QueryHandle {
    const path = request.path ?? '/v1/chat/completions'
    const valid = validateRequest(path, request.body)
    const refuse = (message: string): Failure<'invalid-request'> =>
      new Failure('invalid-request', message, { money: paidNothing })
    if (valid.model !== request.model) throw refuse('The request names another model.')
    const maxTokens = request.maxTokens ?? 512
    const maxCoefficient = request.maxCoefficient ?? 1000
    for (const number of [maxTokens, maxCoefficient])
      if (!Number.isInteger(number) || number < 0 || number > 0x7fff_ffff) throw refuse('A limit of the request is out of range.')
    const timeoutMs = request.timeoutMs ?? 120_000
    if (!(timeoutMs > 0)) throw refuse('The time limit is out of range.')
    if (signal.aborted) throw new Failure('stopped', 'The answer was stopped before it began.', { money: paidNothing })
    const link = this.#firstLink()
    const query = link.run({ model: request.model, body: valid.body, path, maxTokens, maxCoefficient, timeoutMs }, signal)
    query.end.catch((thrown: unknown) => {
      if (thrown instanceof Failure && thrown.code === 'balance-too-low') void this.#freeCredit(link.account)
    })
    return query
  }

  /** Models of the first ready proxy. Throws `Failure` with `no-connection`, or what ended the question. */
  async models(): Promise<ModelOffer[]> {
    return await this.#firstLink().models(10_000)
  }

  #firstLink(): ProxyLink {
    const link = [...this.#links].sort(([one], [other]) => one - other)[0]?.[1]
    if (link === undefined) throw localFailure('no-connection', 'No proxy is connected.')
    return link
  }

  /** Keeps one connection open, to the proxy at this place of the root's list, until `signal` aborts. */
  async #keepConnected(slot: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const config = this.#options.root.value
      const proxy = config?.proxies[slot]
      if (config !== null && proxy !== undefined) {
        const address = proxy.forClients
        const show: Show = (change) => this.#showConnection(slot, { endpoint: `${address.host}:${address.port}`, ...change })
        try {
          await this.#stayWith(slot, config, address, show, signal)
        } catch (thrown) {
          if (signal.aborted) break
          const failure = asError(thrown)
          this.#options.logger.warn('proxy connection ended', { reason: failure.message })
          show({ phase: 'waiting', failure: failure.message })
        }
      }
      await pause(this.#options.reconnectMs ?? 10_000, signal)
    }
    this.#state.update((state) => ({ ...state, connections: [] }))
  }

  /** One connection from dialling to its end, which it throws. */
  async #stayWith(slot: number, root: RootConfig, address: NetAddress, show: Show, signal: AbortSignal): Promise<never> {
    if (!root.params.isTest && this.#options.dialChecksImageHashes !== true)
      throw handshakeFailure('This network demands attested proxies, which cannot be checked here.')
    show({ phase: 'connecting' })
    const connection = await this.#options.dial(address, signal)
    const ended = new AbortController()
    void connection.closed.then(() => ended.abort())
    const onStop = (): void => connection.close('The client stops')
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
          return link.onPacket(data)
        },
      })
      const askedAt = performance.now()
      const proxy = await introduceClient(connection, this.#options.owner, root, this.#options.handshakeTimeoutMs ?? 30_000)
      const latencyMs = performance.now() - askedAt
      const account = this.#accountOf(proxy, root, show)
      for (const deviation of account.offer(proxy.payment))
        this.events.emit({ type: 'deviation', clientContract: proxy.clientContract.toString(), deviation })
      await this.#refresh(account)
      link = new ProxyLink(connection, proxy, account, {
        logger: this.#options.logger,
        rootVersion: () => this.#options.root.value?.version ?? root.version,
        cancelWaitMs: this.#options.cancelWaitMs ?? 5_000,
        emit: (event) => this.events.emit(event),
        onRunning: () => this.#showRunning(),
      })
      const told = {
        proxyContract: proxy.proxyContract,
        clientContract: proxy.clientContract,
        canCancel: proxy.cancels,
        latencyMs,
      }
      await this.#authorize(connection, proxy, account, link, (change) => show({ ...told, ...change }), ended.signal)
      this.#links.set(slot, link)
      show({ phase: 'ready', ...told, ...figures(account) })
      void this.#follow(link, (change) => show({ ...told, ...change }), ended.signal).catch((thrown: unknown) =>
        connection.close(asError(thrown).message),
      )
      throw await connection.closed
    } catch (thrown) {
      connection.close(asError(thrown).message)
      throw thrown
    } finally {
      this.#links.delete(slot)
      ended.abort()
      stopWatching()
      signal.removeEventListener('abort', onStop)
    }
  }

  #accountOf(proxy: KnownProxy, root: RootConfig, show: Show): Account {
    const record: AccountRecord = this.#store.open({
      contract: proxy.clientContract,
      network: root.address.toString(),
      owner: this.#options.owner,
      proxyContract: proxy.proxyContract,
      proxyKey: proxy.publicKey,
      params: root.params,
      nowMs: Date.now(),
    })
    const account: Account = new Account(this.#store, record, () => {
      if ([...this.#links.values()].some((link) => link.account === account)) show({ phase: 'ready', ...figures(account) })
    })
    return account
  }

  /** The secret of one contract; empty only where there is no blockchain, as that mode demands (protocol 60 §10). */
  #secretOf(contract: Address): Uint8Array {
    return this.#options.money === undefined ? new Uint8Array(0) : contractSecret(this.#options.masterSecret, contract)
  }

  async #authorize(
    connection: PacketConnection,
    proxy: KnownProxy,
    account: Account,
    link: ProxyLink,
    show: Show,
    signal: AbortSignal,
  ): Promise<void> {
    const timeoutMs = this.#options.authorizationTimeoutMs ?? 300_000
    const secret = this.#secretOf(proxy.clientContract)
    const hash = secretHash(secret)
    const { auth } = proxy
    // The secret leaves this computer only when the proxy already holds its hash.
    if (auth['@type'] === 'client.proxyConnectionAuthShort' && Buffer.from(hash).equals(auth.secret_hash)) {
      show({ phase: 'authorizing' })
      link.authorized(await authorize(connection, { kind: 'short', secret }, timeoutMs, signal))
      // Our secret's hash is in the contract, so the account was opened with consent, also if the app ended before it noted that.
      account.consent()
      return
    }
    if (this.#options.money !== undefined) {
      const isNew = !account.record.consented
      const name = proxy.clientContract.toString()
      const waitMs = isNew ? 0 : this.#pace.waitMs(name, Date.now())
      if (waitMs > 0)
        throw handshakeFailure(
          `The proxy asks for one paid registration after the other; the next one is sent in ${Math.ceil(waitMs / 1000)} s at the earliest.`,
        )
      if (isNew) show({ phase: 'needs-account' })
      const consent = isNew ? await this.#awaitConsent(signal) : { topUp: 0n }
      show({ phase: 'authorizing' })
      const nonce = BigInt.asUintN(64, auth.nonce)
      this.#pace.sent(name, Date.now())
      try {
        await this.accounts.register(account, { nonce, secretHash: hash, topUp: consent.topUp })
      } catch (thrown) {
        // Only where it is sure that nothing was sent may the same agreement be used again.
        if (isNew && thrown instanceof Failure && thrown.code !== 'send-unknown') this.#consent.resolve(consent)
        else account.consent()
        throw thrown
      }
      account.consent()
    }
    link.authorized(await authorize(connection, { kind: 'long' }, timeoutMs, signal))
    this.#pace.accepted(proxy.clientContract.toString())
    await this.#refresh(account)
  }

  async #awaitConsent(signal: AbortSignal): Promise<{ readonly topUp: bigint }> {
    const given = await Promise.race([
      this.#consent.promise,
      new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true })),
    ])
    if (given === undefined || signal.aborted) throw handshakeFailure('The connection ended before an account was opened.')
    // One agreement opens one account.
    this.#consent = Promise.withResolvers()
    return given
  }

  /** Keeps the account up to date while the connection lives (protocol 30 §4, §5). */
  async #follow(link: ProxyLink, show: Show, signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(within(this.#options.paymentStatusMs ?? [10_000, 20_000]), signal)
      if (signal.aborted) return
      const latencyMs = await link.updatePaymentStatus(60_000)
      await this.#refresh(link.account)
      // The connection may have ended while the chain was read.
      if (signal.aborted) return
      show({ phase: 'ready', latencyMs, ...figures(link.account) })
      await this.accounts.maintain(link.account, secretHash(this.#secretOf(link.account.record.contract)))
    }
  }

  /**
   * Charges now what was signed, and not only when half of the stake is used (protocol 30 §5): a request was refused for want of credit. Never more
   * than once for the same answers, whatever the proxy says.
   */
  async #freeCredit(account: Account): Promise<void> {
    if (this.#options.money === undefined || !account.record.consented) return
    try {
      await this.accounts.charge(account.record.contract)
      await this.#refresh(account)
    } catch (thrown) {
      if (!(thrown instanceof Failure && thrown.code === 'nothing-to-charge'))
        this.#options.logger.warn('the credit could not be freed', { reason: asError(thrown).message })
    }
  }

  async #refresh(account: Account): Promise<void> {
    const { money, logger } = this.#options
    if (money === undefined) return
    try {
      await account.refresh(money.chain)
    } catch (thrown) {
      logger.warn('client contract not read', { reason: asError(thrown).message })
    }
  }

  #showConnection(
    slot: number,
    change: Partial<ClientConnectionState> & Pick<ClientConnectionState, 'endpoint' | 'phase'>,
  ): void {
    this.#state.update((state) => {
      const connections = [...state.connections]
      const { failure, ...known } = connections[slot] ?? { endpoint: change.endpoint }
      // The last failure stays visible over the next attempts, until one succeeds.
      const kept = failure === undefined || change.phase === 'ready' ? {} : { failure }
      connections[slot] = { ...known, ...kept, ...change, sentence: change.failure ?? sentences[change.phase] }
      return { ...state, connections: Array.from(connections, (one) => one ?? emptyConnection) }
    })
  }

  #showRunning(): void {
    let running = 0
    for (const link of this.#links.values()) running += link.running
    this.#state.update((state) => ({ ...state, running }))
  }
}

const emptyConnection: ClientConnectionState = { endpoint: '', phase: 'waiting', sentence: sentences.waiting }

function figures(account: Account): Partial<ClientConnectionState> {
  const { chain, spendable, record, pendingCharge } = account
  return {
    ...(spendable === undefined ? {} : { spendableTokens: spendable }),
    ...(chain === undefined ? {} : { balance: chain.balance, stake: chain.stake }),
    usedTokens: record.maxTokens,
    pendingCharge,
  }
}
