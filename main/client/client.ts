import type { Address } from '@ton/core'
import type { NetAddress } from '../../contracts/net-address.ts'
import { asError, Failure, wordsOf } from '../base/failure.ts'
import { Feed } from '../base/feed.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { handshakeFailure } from '../protocol/handshake/proxy-words.ts'
import type { JsonObject } from '../protocol/requests/json-text.ts'
import { validateRequest } from '../protocol/requests/validate-request.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { Account } from './account.ts'
import { AccountKeeper } from './account-keeper.ts'
import { type AccountRecord, AccountStore } from './account-store.ts'
import { authorize, introduceClient, type KnownProxy } from './handshake.ts'
import { LinkPool } from './link-pool.ts'
import { OldAccounts } from './old-accounts.ts'
import type { ClientEvent, ClientOptions } from './options.ts'
import { ProxyDirectory } from './proxy-directory.ts'
import { type ModelOffer, ProxyLink } from './proxy-link.ts'
import { paidNothing } from './query-failure.ts'
import { RegistrationPace } from './registration-pace.ts'
import type { QueryHandle } from './running-query.ts'
import { contractSecret, secretHash } from './secret.ts'
import { type ClientConnectionState, type ClientState, sentences } from './state.ts'

export interface ChatRequest {
  /** Base name of the model, as the proxy lists it. */
  readonly model: string
  /** OpenAI request object as JSON text, or parsed (it is changed then); its `model` must be the same. */
  readonly body: string | JsonObject
  /** `/v1/chat/completions` by default. */
  readonly path?: string
  /** Adjusted-token reservation and limit of the answer; 512 by default. The body's own limit is not changed. */
  readonly maxTokens?: number
  /** Highest price factor of a worker, in thousandths; 1000 by default. */
  readonly maxCoefficient?: number
  /** 120 s by default. */
  readonly timeoutMs?: number
}

/** One connection to one proxy. */
interface Visit {
  readonly slot: number
  readonly root: RootConfig
  readonly endpoint: string
  readonly address: NetAddress
  /** How long an agreement to open an account is waited for; undefined = as long as the connection lives. */
  readonly consentLimitMs: number | undefined
}

/** Where accounts lie with other proxies, one without is not waited at for longer than this. */
const accountPatienceMs = 60_000

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
  readonly #pool: LinkPool
  readonly #pace = new RegistrationPace()
  #consent = Promise.withResolvers<{ readonly topUp: bigint }>()
  #stopping: AbortController | undefined
  #loops: Promise<unknown> = Promise.resolve()

  constructor(options: ClientOptions) {
    this.#options = options
    this.#store = new AccountStore(options.database)
    this.#pool = new LinkPool(options.logger)
    this.accounts = new AccountKeeper(options.money, this.#store, options.logger)
  }

  get state(): Watchable<ClientState> {
    return this.#state
  }

  start(): void {
    if (this.#stopping !== undefined) return
    const stopping = new AbortController()
    this.#stopping = stopping
    const directory = new ProxyDirectory(this.#options.reconnectMs ?? 10_000)
    const slots = Array.from({ length: this.#options.proxyConnections ?? 1 }, (_, slot) =>
      this.#keepConnected(slot, directory, stopping.signal),
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
   * Sends a chat request to the best ready proxy, and to the next one when that fails before its first word and nobody can be charged twice. Aborting `signal` stops it: see `QueryEnd.stopped`.
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
    const chat = { model: request.model, body: valid.body, path, maxTokens, maxCoefficient, timeoutMs }
    return this.#pool.run(chat, signal, (account) => void this.#freeCredit(account))
  }

  /** Models of all ready proxies; workers of one model side by side. Throws `Failure` with `no-connection`, or what ended the question. */
  models(): Promise<ModelOffer[]> {
    return this.#pool.models(10_000)
  }

  /** Keeps one connection open, to the best proxy that no other connection has, until `signal` aborts. */
  async #keepConnected(slot: number, directory: ProxyDirectory, signal: AbortSignal): Promise<void> {
    const { root, logger } = this.#options
    for await (const config of root.values(signal)) if (config !== null) break
    while (!signal.aborted) {
      const config = root.value
      if (config === null) break
      const accounts = this.#accountEndpoints(config)
      const next = directory.take(config.proxies, accounts, Date.now())
      if ('waitMs' in next) {
        await pause(next.waitMs, signal)
        continue
      }
      const { endpoint } = next
      let [readyAtMs, latencyMs]: [number | undefined, number | undefined] = [undefined, undefined]
      const show: Show = (change) => {
        if (change.phase === 'ready') readyAtMs ??= Date.now()
        latencyMs = change.latencyMs ?? latencyMs
        this.#showConnection(slot, { endpoint, ...change })
      }
      const consentLimitMs = accounts.size > 0 && !accounts.has(endpoint) ? accountPatienceMs : undefined
      try {
        await this.#stayWith({ slot, root: config, endpoint, address: next.proxy.forClients, consentLimitMs }, show, signal)
      } catch (thrown) {
        if (signal.aborted) break
        const failure = asError(thrown)
        logger.warn('proxy connection ended', { endpoint, reason: failure.message })
        show({ phase: 'waiting', failure: failure.message, failureWords: wordsOf(thrown) })
      } finally {
        const nowMs = Date.now()
        directory.release(endpoint, { goodMs: readyAtMs === undefined ? 0 : nowMs - readyAtMs, latencyMs, nowMs })
      }
    }
    this.#state.update((state) => ({ ...state, connections: [] }))
  }

  /** Proxies where money lies under the present terms. */
  #accountEndpoints(root: RootConfig): Set<string> {
    const records = this.#store.ofNetwork(root.address.toString())
    const open = records.filter(
      ({ consented, closed, params }) => consented && !closed && params.paramsVersion === root.params.paramsVersion,
    )
    return new Set(open.map(({ endpoint }) => endpoint))
  }

  /** One connection from dialling to its end, which it throws. */
  async #stayWith(visit: Visit, show: Show, signal: AbortSignal): Promise<never> {
    const { slot, root, address } = visit
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
      const account = this.#accountOf(proxy, visit, show)
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
      await this.#authorize(
        { connection, proxy, account, link, consentLimitMs: visit.consentLimitMs },
        (change) => show({ ...told, ...change }),
        ended.signal,
      )
      this.#pool.add(slot, link)
      show({ phase: 'ready', ...told, ...figures(account) })
      void this.#follow(link, (change) => show({ ...told, ...change }), ended.signal).catch((thrown: unknown) =>
        connection.close(asError(thrown).message),
      )
      throw await connection.closed
    } catch (thrown) {
      connection.close(asError(thrown).message)
      throw thrown
    } finally {
      this.#pool.remove(slot)
      ended.abort()
      stopWatching()
      signal.removeEventListener('abort', onStop)
    }
  }

  #accountOf(proxy: KnownProxy, { root, endpoint }: Visit, show: Show): Account {
    const record: AccountRecord = this.#store.open({
      contract: proxy.clientContract,
      network: root.address.toString(),
      owner: this.#options.owner,
      proxyContract: proxy.proxyContract,
      endpoint,
      proxyKey: proxy.publicKey,
      params: root.params,
      nowMs: Date.now(),
    })
    const account: Account = new Account(this.#store, record, () => {
      if (this.#pool.has(account)) show({ phase: 'ready', ...figures(account) })
    })
    return account
  }

  /** The secret of one contract; empty only where there is no blockchain, as that mode demands (protocol 60 §10). */
  #secretOf(contract: Address): Uint8Array {
    return this.#options.money === undefined ? new Uint8Array(0) : contractSecret(this.#options.masterSecret, contract)
  }

  async #authorize(
    visit: {
      readonly connection: PacketConnection
      readonly proxy: KnownProxy
      readonly account: Account
      readonly link: ProxyLink
      readonly consentLimitMs: number | undefined
    },
    show: Show,
    signal: AbortSignal,
  ): Promise<void> {
    const { connection, proxy, account, link } = visit
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
      const consent = isNew ? await this.#awaitConsent(visit.consentLimitMs, signal) : { topUp: 0n }
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

  async #awaitConsent(limitMs: number | undefined, signal: AbortSignal): Promise<{ readonly topUp: bigint }> {
    const limit = limitMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
    const given = await Promise.race([
      this.#consent.promise,
      new Promise<undefined>((resolve) => limit.addEventListener('abort', () => resolve(undefined), { once: true })),
    ])
    if (given === undefined || signal.aborted) throw handshakeFailure('The connection ended before an account was opened.')
    // One agreement opens one account.
    this.#consent = Promise.withResolvers()
    return given
  }

  /** Keeps the account up to date while the connection lives (protocol 30 §4, §5). */
  async #follow(link: ProxyLink, show: Show, signal: AbortSignal): Promise<void> {
    for (;;) {
      // Only a choice between proxies needs to know what each offers.
      if ((this.#options.proxyConnections ?? 1) > 1) await link.models(10_000)
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
      const { failure, failureWords, ...known } = connections[slot] ?? { endpoint: change.endpoint }
      // The last failure stays visible over the next attempts, until one succeeds.
      const kept = failure === undefined || change.phase === 'ready' ? {} : { failure, failureWords }
      connections[slot] = { ...known, ...kept, ...change, sentence: change.failure ?? sentences[change.phase] }
      return { ...state, connections: Array.from(connections, (one) => one ?? emptyConnection) }
    })
  }

  #showRunning(): void {
    const { running } = this.#pool
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
