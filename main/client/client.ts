import { randomBytes } from 'node:crypto'
import { Failure } from '../base/failure.ts'
import { Feed } from '../base/feed.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { keepConnected } from '../protocol/handshake/keep-connected.ts'
import { ProxyDirectory } from '../protocol/handshake/proxy-directory.ts'
import { allVersions, checkVersions } from '../protocol/handshake/versions.ts'
import { cacheScope } from '../protocol/sealed/direct/cache-scope.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { sealingKeys } from '../ton/sealing-keys.ts'
import { AccountKeeper } from './account-keeper.ts'
import { AccountStore } from './account-store.ts'
import type { MayGo, ObjectionTo, SealWish } from './chat-query.ts'
import { Consent } from './consent.ts'
import { type EncryptedRequest, runEncrypted, type Terms } from './encrypted-query.ts'
import { LinkPool, type ToldWorkers } from './link-pool.ts'
import type { ModelOffer } from './model-offer.ts'
import { OldAccounts } from './old-accounts.ts'
import type { ClientEvent, ClientOptions } from './options.ts'
import { localFailure, paidNothing } from './query-failure.ts'
import { checkBody, type RequestBody } from './request-body.ts'
import type { QueryHandle } from './running-query.ts'
import { type ClientConnectionState, type ClientState, sentences } from './state.ts'
import { logUsage } from './usage-log.ts'
import { type Show, Visitor } from './visitor.ts'

export interface ChatRequest {
  /** Base name of the model, as the proxy lists it. */
  readonly model: string
  /** OpenAI request object as JSON text, or parsed (it is changed then), or the form of a transcription; its `model` must be the same. */
  readonly body: RequestBody
  /** `/v1/chat/completions` by default. */
  readonly path?: string
  /** Adjusted-token reservation and limit of the answer; 512 by default. The body's own limit is not changed. */
  readonly maxTokens?: number
  /** Highest price factor of a worker, in thousandths; 1000 by default. */
  readonly maxCoefficient?: number
  /** 120 s by default. */
  readonly timeoutMs?: number
  /**
   * The key that the body is encrypted for, 32 bytes (protocol 95 §4.1). Such a body is passed on as it is: whoever encrypted it has checked it.
   * Only proxies that carry keys are asked.
   */
  readonly publicKey?: Uint8Array
  /**
   * What is asked of the seal (docs/protocol-extensions.md). `offered`, the default: sealed to a worker where proxy and worker take part, else
   * readable on its way; which of both it was is in the handle's `seal`; a worker whose key was told before is waited for. `agreed`: as `offered`, and nobody is waited for, because
   * a person has agreed that it may leave readable. `required`: sealed to a worker, or not sent. `attested`: to one whose
   * quote was verified by `workerPolicy`, or not sent. `none`: readable. A body with `publicKey` is never sealed again.
   */
  readonly seal?: SealWish
  /**
   * Why a worker that the question could be sealed to may not read it, or undefined, asked right before it is sealed. Without one that may, the question is
   * not sent: neither sealed nor readable. The reasons are told with the failure.
   */
  readonly objectionTo?: ObjectionTo
  /**
   * Asked in the same turn of the event loop, right before each sending, of the connection that it would go over. False: nothing is sent, nor
   * over another connection; the query fails with `connection-changed`.
   */
  readonly mayGo?: MayGo
  /**
   * Names the conversation that this request goes on with. The worker that it is sealed to may then keep what it read for the next one, which costs less and is
   * answered sooner; it is told a keyed hash that is another one for each worker, and knows by it that both are of one conversation. Readable requests tell nothing.
   */
  readonly conversation?: string
  /** Asks every hop for its times: `debug` of the handle. */
  readonly debug?: boolean
}

/** Where accounts lie with other proxies, one without is not waited at for longer than this. */
const accountPatienceMs = 60_000

/**
 * Cocoon client (protocol 30): keeps connections to the network's proxies, the accounts with them, and runs queries. Nothing is sent that
 * costs money without an agreement: `openAccount`, or `accountTopUp` of the options. `start` it, `stop` it; it can be started again.
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
  readonly #consent: Consent
  readonly #visitor: Visitor
  readonly #cacheSecret = randomBytes(32)
  #stopping: AbortController | undefined
  #loops: Promise<unknown> = Promise.resolve()

  constructor(options: ClientOptions) {
    this.#options = options
    this.#store = new AccountStore(options.database)
    this.#pool = new LinkPool(
      options.logger,
      () => this.#state.value.connections.find(({ failure }) => failure !== undefined)?.failure,
    )
    this.#consent = new Consent(options.accountTopUp)
    this.accounts = new AccountKeeper(options.money, this.#store, options.logger, (contract, state) =>
      this.#pool.accountOf(contract)?.saw(state),
    )
    checkVersions(options.versions ?? allVersions)
    // The answers of version 0 have no form that this client reads (protocol 30 §3.2).
    if (options.versions?.least === 0) throw new RangeError('a client speaks protocol version 1 and above')
    this.#visitor = new Visitor({
      options,
      store: this.#store,
      accounts: this.accounts,
      pool: this.#pool,
      consent: this.#consent,
      emit: (event) => this.events.emit(event),
      onRunning: () => this.#showRunning(),
    })
  }

  get state(): Watchable<ClientState> {
    return this.#state
  }

  start(): void {
    if (this.#stopping !== undefined) return
    const stopping = new AbortController()
    this.#stopping = stopping
    const directory = new ProxyDirectory('forClients', this.#options.reconnectMs ?? 10_000)
    const slots = Array.from({ length: this.#options.proxyConnections ?? 1 }, (_, slot) =>
      this.#keepConnected(slot, directory, stopping.signal),
    )
    const { logger, money, oldAccountsMs = 10_000, owedPauseMs = 600_000, root } = this.#options
    const old = new OldAccounts({ root, accounts: this.accounts, logger, everyMs: oldAccountsMs, owedPauseMs })
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
    this.#consent.give(options)
    try {
      await this.whenReady(signal)
    } finally {
      this.#consent.takeBack()
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
    const { publicKey, mayGo, objectionTo, conversation, debug = false } = request
    const valid = checkBody(path, request.body, publicKey !== undefined)
    const seal = publicKey === undefined && (this.#options.sealedQueries ?? true) ? (request.seal ?? 'offered') : 'none'
    if (seal === 'none' && (request.seal === 'required' || request.seal === 'attested'))
      throw localFailure('seal-unavailable', 'Sealing questions to workers is switched off.')
    if (publicKey !== undefined && publicKey.length !== 32) throw new RangeError('a key has 32 bytes')
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
    const { body, limits } = valid
    const chat = {
      model: request.model,
      body,
      path,
      maxTokens,
      maxCoefficient,
      timeoutMs,
      publicKey,
      seal,
      limits,
      mayGo,
      objectionTo,
      cacheScope:
        conversation === undefined ? undefined : (keyId: Uint8Array) => cacheScope(this.#cacheSecret, conversation, keyId),
      debug,
    }
    return this.#pool.run(chat, signal, (account) => void this.#visitor.freeCredit(account))
  }

  /**
   * As `runChat`, with the texts of question and answer encrypted between this client and the network's proxies and workers (see `runEncrypted`).
   * Throws `Failure` with `no-sealing-key` too.
   */
  runEncrypted(request: EncryptedRequest, signal: AbortSignal): QueryHandle {
    const root = this.#options.root.value
    const keys = root === null ? [] : sealingKeys(root, Date.now())
    const { logger } = this.#options
    const terms: Terms = {
      multipliers: root?.params.multipliers,
      deviates: (requestId, usage) => logUsage(logger, requestId, usage),
    }
    return runEncrypted(request, keys, (sealed, until) => this.runChat(sealed, until), terms, signal)
  }

  /**
   * Most tokens of an answer that a proxy would reserve now for a request of so many bytes; undefined where nothing limits it, or nothing is
   * known. Below 0 where not even the question is covered.
   */
  largestAnswer(maxCoefficient: number, bodyBytes: number): number | undefined {
    return this.#options.money === undefined ? undefined : this.#pool.largestAnswer(maxCoefficient, bodyBytes)
  }

  /** Models of all ready proxies; workers of one model side by side. Throws `Failure` with `no-connection`, or what ended the question. */
  models(): Promise<ModelOffer[]> {
    return this.#pool.models(10_000)
  }

  /**
   * Workers that a question to this model could be sealed to now, over all ready proxies: their keys are verified. Which one it is in the end
   * shows in the handle's `seal`. Throws `Failure` with `no-connection`, or what ended the question.
   * @param maxCoefficient price limit of the question, thousandths
   */
  async sealableWorkers(model: string, maxCoefficient?: number): Promise<readonly SealedWorker[]> {
    return (await this.toldWorkers(model, maxCoefficient)).workers
  }

  /** The same, with the reasons why keys were not taken. Throws as `sealableWorkers`. */
  toldWorkers(model: string, maxCoefficient = Number.POSITIVE_INFINITY): Promise<ToldWorkers> {
    return this.#pool.toldWorkers(model, maxCoefficient)
  }

  async #keepConnected(slot: number, directory: ProxyDirectory, signal: AbortSignal): Promise<void> {
    const { root, logger } = this.#options
    const show = (endpoint: string, change: Parameters<Show>[0]): void => this.#showConnection(slot, { endpoint, ...change })
    await keepConnected(
      {
        root,
        directory,
        logger,
        favoured: (config) => ({ only: this.#options.onlyProxy, withMoney: this.#accountEndpoints(config) }),
        stay: ({ isReady, measured, favoured: { withMoney }, ...visit }) => {
          const hasMoneyElsewhere = withMoney !== undefined && withMoney.size > 0 && !withMoney.has(visit.endpoint)
          const consentLimitMs = hasMoneyElsewhere ? accountPatienceMs : undefined
          const told: Show = (change) => {
            if (change.phase === 'ready') isReady()
            if (change.latencyMs !== undefined) measured(change.latencyMs)
            show(visit.endpoint, change)
          }
          return this.#visitor.stay({ slot, ...visit, consentLimitMs }, told, signal)
        },
        onEnd: (endpoint, failure) => show(endpoint, { phase: 'waiting', ...failure }),
      },
      signal,
    )
    this.#state.update((state) => ({ ...state, connections: [] }))
  }

  /** Proxies where money lies under the present terms; without a blockchain, none: the next one costs nothing. */
  #accountEndpoints(root: RootConfig): Set<string> {
    if (this.#options.money === undefined) return new Set()
    const records = this.#store.ofNetwork(root.address.toString())
    const open = records.filter(
      ({ consented, closed, params }) => consented && !closed && params.paramsVersion === root.params.paramsVersion,
    )
    return new Set(open.map(({ endpoint }) => endpoint))
  }

  #showConnection(
    slot: number,
    change: Partial<ClientConnectionState> & Pick<ClientConnectionState, 'endpoint' | 'phase'>,
  ): void {
    this.#state.update((state) => {
      const connections = [...state.connections]
      const { failure, failureWords, ...last }: Partial<ClientConnectionState> = connections[slot] ?? {}
      const known = this.#isOfAnotherAccount(last, change) ? {} : last
      // The last failure stays visible over the next attempts, until one succeeds.
      const kept = failure === undefined || change.phase === 'ready' ? {} : { failure, failureWords }
      connections[slot] = { ...known, ...kept, ...change, sentence: change.failure ?? sentences[change.phase] }
      return { ...state, connections: Array.from(connections, (one) => one ?? emptyConnection) }
    })
  }

  /** Whether what was shown last is of another account, or of one of former terms: its money is on its way back. */
  #isOfAnotherAccount(
    { clientContract: last }: Pick<ClientConnectionState, 'clientContract'>,
    { phase, clientContract = last }: Pick<ClientConnectionState, 'phase' | 'clientContract'>,
  ): boolean {
    if (last === undefined || clientContract === undefined) return false
    if (!last.equals(clientContract)) return true
    const terms = this.#options.root.value?.params.paramsVersion
    return phase !== 'ready' && this.#store.find(last)?.params.paramsVersion !== terms
  }

  #showRunning(): void {
    const { running } = this.#pool
    this.#state.update((state) => ({ ...state, running }))
  }
}

const emptyConnection: ClientConnectionState = { endpoint: '', phase: 'waiting', sentence: sentences.waiting }
