import type { Address } from '@ton/core'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { randomId } from '../base/random-id.ts'
import { reservedTokens } from '../protocol/accounting/adjusted-tokens.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { keyField, keysSince } from '../protocol/handshake/versions.ts'
import { encodeHttpRequest } from '../protocol/http/http-message.ts'
import type { FormBytes } from '../protocol/requests/form.ts'
import type { RequestLimits } from '../protocol/requests/request-limits.ts'
import { type SealedHead, sealedRequestBytes, sealRequest } from '../protocol/sealed/direct/request.ts'
import type { KeyRefusal } from '../protocol/sealed/direct/seal-errors.ts'
import type { SealedWorker, UsageEvidence } from '../protocol/sealed/outcome.ts'
import type { Asked } from '../protocol/sealed/recount.ts'
import { decode, encode, nameOf, sharingDecoder } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { encodePacket } from '../protocol/wire/tcp-packets.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import type { Account } from './account.ts'
import { fundsOf } from './budget.ts'
import type { KnownProxy } from './handshake.ts'
import type { KnownKeys } from './known-keys.ts'
import { LinkQuality } from './link-quality.ts'
import { Opening } from './opening-answer.ts'
import type { ClientEvent } from './options.ts'
import { localFailure, paidNothing, type QueryFailureCode, remoteFailure } from './query-failure.ts'
import { type QueryHandle, RunningQuery } from './running-query.ts'
import { logUsage } from './usage-log.ts'
import { judgeUsage } from './usage-plausible.ts'
import { type KeyList, type SealableWorker, WorkerKeys } from './worker-keys.ts'

/** Whether something may be sent over this connection now. */
export type MayGo = (connection: PacketConnection) => boolean

/** Why a worker may not read a question that goes over this connection; undefined when it may. */
export type ObjectionTo = (worker: SealedWorker, connection: PacketConnection) => string | undefined

export interface ChatQuery {
  /** Base name as the proxy lists it. */
  readonly model: string
  /** JSON text, or a form; validated. */
  readonly body: string | FormBytes
  readonly path: string
  /** For the reservation (protocol 50 §3). */
  readonly maxTokens: number
  /** Thousandths. */
  readonly maxCoefficient: number
  readonly timeoutMs: number
  /** The key that the body is encrypted for, 32 bytes (protocol 95 §4.1); undefined where it is not. */
  readonly publicKey: Uint8Array | undefined
  /** What a question asks of its seal: see `ChatRequest.seal`. */
  readonly seal: SealWish
  /** What the body itself allows its answer. */
  readonly limits: RequestLimits
  /** See `ChatRequest.mayGo`. */
  readonly mayGo: MayGo | undefined
  /** See `ChatRequest.objectionTo`. */
  readonly objectionTo: ObjectionTo | undefined
  /** Asks every hop for its times (`debug` of the end). */
  readonly debug: boolean
}

/** A model that a proxy can have answered. */
export interface ModelOffer {
  /** Base name. */
  readonly model: string
  /** Price factors in thousandths, and how busy each worker is. */
  readonly workers: ReadonlyArray<{ readonly coefficient: number; readonly running: number; readonly mostRunning: number }>
}

export type SealWish = 'offered' | 'agreed' | 'required' | 'attested' | 'none'

export interface ClientLinkContext {
  readonly root: Address
  readonly workerPolicy: (() => Policy | undefined) | undefined
  readonly knownKeys: KnownKeys
  readonly logger: Logger
  readonly rootVersion: () => number
  readonly cancelWaitMs: number
  readonly emit: (event: ClientEvent) => void
  readonly onRunning: () => void
}

const incomingNames = [
  'client.queryAnswerEx',
  'client.queryAnswerPartEx',
  'client.queryAnswerErrorEx',
  'client.queryAnswerError',
  'client.queryAnswerPartError',
  'client.queryAnswer',
  'client.queryAnswerPart',
  'proxy.clientRequestPayment',
  'proxy.signedPayment',
  'proxy.signedPaymentEmpty',
] as const

const jsonBody = (text: string): FormBytes => ({ contentType: 'application/json', bytes: new TextEncoder().encode(text) })

interface SealedSending {
  readonly query: ChatQuery
  readonly id: Uint8Array
  readonly request: Uint8Array
  readonly running: RunningQuery
  readonly asked: Asked
  readonly signal: AbortSignal
}

const mostCoefficient = 0x7fff_ffff
const mostBodyLimit = 0x7fff_ffff
const mostChoices = 1024

/** What a key is refused for where this computer's clock is wrong, or the worker's. */
const timeRefusals: ReadonlySet<string> = new Set<KeyRefusal>(['not-yet-valid', 'expired'])

/**
 * @param dearer a worker that would do, had it asked for less
 * @param objections why the others would not
 */
function noKey(
  { workers, refused }: KeyList,
  dearer: SealableWorker | undefined,
  objections: readonly string[],
): Failure<QueryFailureCode> {
  if (dearer !== undefined)
    return remoteFailure(peerErrorCodes.notReady, `can run this query with coefficient=${dearer.coefficient}`)
  if (workers.length === 0 && refused.length > 0 && refused.every((reason) => timeRefusals.has(reason)))
    return new Failure('seal-unavailable', 'The keys of all workers are of another time than this computer’s.', {
      advice: 'Is this computer’s clock right? Set it, then try again.',
      retryable: true,
      money: paidNothing,
      words: { code: 'seal-unavailable-clock' },
    })
  const reasons = [
    ...objections,
    ...(refused.length > 0 ? [`Keys that were not taken: ${[...new Set(refused)].join(', ')}.`] : []),
  ]
  return localFailure('seal-unavailable', ['No worker is known that the question could be sealed to.', ...reasons].join(' '))
}

/** The head of a sealed question has no place for more. Throws `Failure` with `invalid-request`. */
function requireSealable({ bodyLimit = 0, choices }: RequestLimits): void {
  if (choices <= mostChoices && bodyLimit <= mostBodyLimit) return
  throw new Failure('invalid-request', 'The request asks for more tokens or choices than a sealed question may.', {
    advice: 'Ask for fewer.',
    money: paidNothing,
  })
}

/** Of one answer so much may wait for its reader. */
const mostWaitingBytes = 8 << 20
/** Finished requests whose account may still come; older ones are forgotten beyond this number. */
const mostRemembered = 20_000

/** Answers go to their reader and are forgotten. */
const decodeIncoming = sharingDecoder(...incomingNames)

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

/** One authorized proxy connection: queries and their answers, and the account as the proxy tells it (protocol 30 §7, §4). */
export class ProxyLink {
  readonly #connection: PacketConnection
  readonly #proxy: KnownProxy
  readonly #account: Account
  readonly #context: ClientLinkContext
  readonly #queries = new Map<string, RunningQuery>()
  /** Tokens that the answers of finished requests stated; undefined where none were. */
  readonly #finished = new Map<string, bigint | undefined>()
  readonly quality = new LinkQuality()
  readonly #keys: WorkerKeys
  #offers: readonly ModelOffer[] | undefined
  /** Adjusted tokens that the proxy holds back for each running query. */
  readonly #reserved = new Map<string, bigint>()
  #reservedSum = 0n

  constructor(connection: PacketConnection, proxy: KnownProxy, account: Account, context: ClientLinkContext) {
    this.#connection = connection
    this.#proxy = proxy
    this.#account = account
    this.#context = context
    this.#keys = new WorkerKeys({
      root: context.root,
      proxy: proxy.proxyContract.toRawString(),
      known: context.knownKeys,
      ask: async (model) =>
        decode(
          await connection.query(encode({ '@type': 'client.getWorkerKeys', model_name: model }), { timeoutMs: 10_000 }),
          'client.workerKeys',
        ),
      policy: () => context.workerPolicy?.(),
      logger: context.logger,
      now: () => Date.now(),
    })
    void connection.closed.then((reason) => {
      for (const query of [...this.#queries.values()])
        query.fail(localFailure('connection-lost', 'The connection to the proxy was lost while it answered.', reason))
      try {
        account.flush()
      } catch (thrown) {
        context.logger.warn('the totals of the last moments were not saved', { reason: asError(thrown).message })
      }
    })
  }

  get account(): Account {
    return this.#account
  }

  get running(): number {
    return this.#queries.size
  }

  /** Whether questions can be encrypted here. */
  get carriesKeys(): boolean {
    return this.#proxy.protocol >= keysSince
  }

  /** Whether questions can be sealed to workers here. */
  get seals(): boolean {
    return this.#proxy.seals
  }

  /** Keys of the workers that this proxy knows, verified. Throws what ended the question. */
  get workerKeys(): WorkerKeys {
    return this.#keys
  }

  /** What the proxy offered when it was asked last; undefined before. */
  get offers(): readonly ModelOffer[] | undefined {
    return this.#offers
  }

  /** Adjusted tokens that may still be reserved; undefined = without limit. */
  get spendable(): bigint | undefined {
    const { spendable } = this.#account
    return spendable === undefined ? undefined : spendable - this.#reservedSum
  }

  /** Sends a query. Failures show in the handle, but for `invalid-request` of what no seal has a place for. */
  run(query: ChatQuery, signal: AbortSignal): QueryHandle {
    const isSealing = query.seal !== 'none' && this.#proxy.seals
    if (isSealing) requireSealable(query.limits)
    const id = randomId()
    const requestId = hex(id)
    const { contentType, bytes } = typeof query.body === 'string' ? jsonBody(query.body) : query.body
    const request = encodeHttpRequest({
      method: 'POST',
      path: query.path,
      headers: [
        ['Content-Type', contentType],
        ['Accept', typeof query.body === 'string' ? 'text/event-stream, application/json' : '*/*'],
      ],
      body: bytes,
    })
    const { pricePerToken, multipliers } = this.#account.record.params
    const asked = { queryBytes: request.length, maxTokens: query.maxTokens, maxCoefficient: query.maxCoefficient, multipliers }
    const reserve = reservedTokens(
      query.maxTokens,
      isSealing ? this.#sealedBytes(query, id, request) : request.length,
      query.maxCoefficient,
    )
    const running = new RunningQuery({
      requestId,
      timeoutMs: query.timeoutMs,
      pricePerToken,
      judge: (tokens, answerBytes) => {
        const verdict = judgeUsage(tokens, asked, answerBytes)
        if (verdict === 'plausible') return 'believable'
        this.#deviates({
          kind: verdict === 'impossible' ? 'usage-impossible' : 'usage-too-much',
          requestId,
          stated: tokens.total,
        })
        return verdict === 'impossible' ? 'impossible' : 'believable'
      },
      reservation: () => ({
        needed: reserve * pricePerToken,
        funds: fundsOf(this.#account.counters, pricePerToken, this.#reservedBeside(requestId)),
      }),
      cancel: this.#proxy.cancels ? () => this.#sendCancel(id) : undefined,
      signal,
      cancelWaitMs: this.#context.cancelWaitMs,
      mostWaitingBytes,
      seal: {
        scheme: 'none',
        reason: isSealing ? 'not-sent' : query.seal === 'none' ? 'not-wanted' : 'proxy-without',
      },
      onDone: () => this.#onDone(requestId),
    })
    this.quality.follow(running)
    this.#queries.set(requestId, running)
    this.#reserved.set(requestId, reserve)
    this.#reservedSum += reserve
    this.#context.onRunning()
    if (isSealing) {
      void this.#sendSealed({ query, id, request, running, asked, signal })
      // What was told of the workers may be old.
      running.head.catch((thrown: unknown) => {
        this.#keys.forget(query.model)
        const wasRefused = thrown instanceof Failure && (thrown.code === 'worker-gone' || thrown.code === 'seal-refused')
        if (wasRefused && running.seal.scheme === 'direct') this.#keys.refusedBy(query.model, running.seal.worker.keyId)
      })
    }
    if (!isSealing) this.#sendPlain(query, id, request, running)
    return running
  }

  /** Asked right before a question is sent: nothing may be awaited in between. */
  #mayGo({ mayGo }: ChatQuery, running: RunningQuery): boolean {
    if (mayGo?.(this.#connection) ?? true) return true
    running.fail(localFailure('connection-changed', 'The connection changed after it was checked. Nothing was sent.'))
    return false
  }

  #sendPlain(query: ChatQuery, id: Uint8Array, request: Uint8Array, running: RunningQuery): void {
    if (!this.#mayGo(query, running)) return
    const publicKey = keyField(this.#proxy.protocol, query.publicKey)
    this.#send(running, {
      '@type': 'client.runQueryEx',
      ...this.#shared(query, id),
      query: request,
      ...(publicKey === undefined ? { flags: 1 } : { flags: 3, public_key: publicKey }),
    })
  }

  #shared(query: ChatQuery, id: Uint8Array) {
    return {
      model_name: query.model,
      max_coefficient: query.maxCoefficient,
      max_tokens: query.maxTokens,
      timeout: (query.timeoutMs / 1000) * 0.95,
      request_id: id,
      min_config_version: this.#context.rootVersion(),
      enable_debug: query.debug,
    }
  }

  #send(running: RunningQuery, message: TlObject<'client.runQueryEx' | 'client.runSealedQuery'>): void {
    this.#connection
      .sendPacket(encodePacket(message))
      .catch((error: unknown) => running.fail(localFailure('connection-lost', 'The question could not be sent.', error)))
  }

  #headOf(query: ChatQuery, id: Uint8Array, keyId: Uint8Array): SealedHead {
    return {
      keyId,
      requestId: id,
      proxy: this.#proxy.proxyContract,
      model: query.model,
      maxTokens: query.maxTokens,
      maxCoefficient: query.maxCoefficient,
      ...query.limits,
    }
  }

  /** What the query will have sealed: the proxy reserves by it. */
  #sealedBytes(query: ChatQuery, id: Uint8Array, request: Uint8Array): number {
    return sealedRequestBytes(this.#headOf(query, id, id), request.length)
  }

  /** Seals to a worker of this proxy, and leaves unsealed only where that was wished for and nobody could be sealed to. Never rejects. */
  async #sendSealed({ query, id, request, running, asked, signal }: SealedSending): Promise<void> {
    try {
      const list = await this.#keys.of(query.model)
      // It may have failed, or been stopped, meanwhile.
      if (signal.aborted) return running.neverLeft()
      if (running.isDone) return
      const { workers, refused } = list
      const { model, maxCoefficient } = query
      const objectionTo = query.objectionTo && ((worker: SealedWorker) => query.objectionTo?.(worker, this.#connection))
      const limits = { attested: query.seal === 'attested', objectionTo }
      const chosen = this.#keys.choose(model, workers, { maxCoefficient, ...limits })
      if (chosen === undefined) {
        const mayLeave = query.seal === 'agreed'
        const isHeldBack = !mayLeave && this.#keys.holdsBack(model, maxCoefficient)
        const isResting = !mayLeave && this.#keys.isOnlyResting(workers, { maxCoefficient, ...limits })
        if (isResting || (workers.length === 0 && refused.length === 0 && isHeldBack))
          return running.fail(remoteFailure(peerErrorCodes.notReady, `no workers for model ${model}`))
        // A key that is false is no want of keys: that proxy is not to be told anything.
        if ((query.seal !== 'offered' && !mayLeave) || objectionTo !== undefined || refused.length > 0 || isHeldBack) {
          const dearer = this.#keys.choose(model, workers, { maxCoefficient: mostCoefficient, ...limits })
          const objections = [...new Set(workers.flatMap(({ worker }) => objectionTo?.(worker) ?? []))]
          if (objections.length > 0) this.#context.logger.warn('no worker may read a question', { reasons: objections.join(' ') })
          return running.fail(noKey(list, dearer, objections))
        }
        if (!this.#mayGo(query, running)) return
        running.leavesUnsealed('no-keys')
        return this.#sendPlain(query, id, request, running)
      }
      const { bytes, opener } = await sealRequest(request, this.#headOf(query, id, chosen.key.id), chosen.key)
      if (signal.aborted) return running.neverLeft()
      if (running.isDone || !this.#mayGo(query, running)) return
      const { requestId } = running
      const deviates = (usage: UsageEvidence): void => {
        logUsage(this.#context.logger, requestId, usage)
        this.#deviates({ kind: 'sealed-usage', requestId, deviations: usage.deviations })
      }
      running.leavesSealed(new Opening({ opener, worker: chosen.worker, asked, requestBytes: bytes.length, deviates }))
      this.#send(running, {
        '@type': 'client.runSealedQuery',
        ...this.#shared(query, id),
        query: bytes,
        flags: 1,
        worker_key: chosen.key.id,
      })
    } catch (thrown) {
      running.fail(localFailure('seal-unavailable', 'The keys of the workers could not be had.', thrown))
    }
  }

  /** Handler of one-way packets; nothing waits for it. Throws for what is no message of the protocol. */
  onPacket(data: Uint8Array): void {
    if (nameOf(data) === undefined) return this.#context.logger.debug('unknown message of the proxy dropped')
    const message = decodeIncoming(data)
    switch (message['@type']) {
      case 'client.queryAnswerEx':
        return this.#queries.get(hex(message.request_id))?.onAnswer(message.answer, message.final_info)
      case 'client.queryAnswerPartEx':
        return this.#queries.get(hex(message.request_id))?.onPart(message.answer, message.final_info)
      case 'client.queryAnswerErrorEx':
        return this.#queries.get(hex(message.request_id))?.onError(message.error_code, message.error, message.final_info)
      // The own refusals of older proxies come in this form whatever the protocol version (protocol 30 §7.3).
      case 'client.queryAnswerError':
      case 'client.queryAnswerPartError':
        return this.#queries.get(hex(message.request_id))?.onError(message.error_code, message.error)
      case 'proxy.clientRequestPayment':
        return this.#toldRequest(message)
      case 'proxy.signedPayment':
      case 'proxy.signedPaymentEmpty':
        for (const deviation of this.#account.offer(message)) this.#deviates(deviation)
    }
  }

  /** Asks for the newest signed payment and totals; returns the round trip in ms. */
  async updatePaymentStatus(timeoutMs: number): Promise<number> {
    const askedAt = performance.now()
    const answer = await this.#connection.query(encode({ '@type': 'client.updatePaymentStatus' }), { timeoutMs })
    const latencyMs = performance.now() - askedAt
    const status = decode(answer, 'client.paymentStatus')
    this.#told(status.signed_payment, status.db_tokens, status.max_tokens)
    return latencyMs
  }

  /** Models of this proxy with their enabled workers, cheapest first (protocol 30 §8.1). */
  async models(timeoutMs: number): Promise<ModelOffer[]> {
    const answer = await this.#connection.query(encode({ '@type': 'client.getWorkerTypesV2' }), { timeoutMs })
    const offers = decode(answer, 'client.workerTypesV2').types.map(({ name, workers }) => ({
      model: name,
      workers: workers.map((one) => ({
        coefficient: one.coefficient,
        running: one.active_requests,
        mostRunning: one.max_active_requests,
      })),
    }))
    this.#offers = offers
    return offers
  }

  /** What came with the authorization. */
  authorized(success: TlObject<'client.authorizationWithProxySuccess'>): void {
    this.#account.reconnected()
    this.#told(success.signed_payment, success.tokens_committed_to_db, success.max_tokens)
  }

  #told(payment: KnownProxy['payment'], dbTokens: bigint, maxTokens: bigint): void {
    for (const deviation of [...this.#account.offer(payment), ...this.#account.told(dbTokens, maxTokens)])
      this.#deviates(deviation)
  }

  #toldRequest(message: TlObject<'proxy.clientRequestPayment'>): void {
    const requestId = hex(message.request_id)
    const counted = message.request_tokens
    if (counted < 0n) return this.#deviates({ kind: 'impossible-total' })
    const deviations = [
      ...this.#account.offer(message.signed_payment),
      ...this.#account.toldRequest(message.db_tokens, message.max_tokens, counted),
    ]
    for (const deviation of deviations) this.#deviates(deviation)
    const running = this.#queries.get(requestId)
    const stated = running === undefined ? this.#finished.get(requestId) : running.tokens
    const isOurs = this.#finished.delete(requestId) || running !== undefined
    if (!isOurs) return this.#deviates({ kind: 'foreign-request', requestId, counted })
    if (stated !== undefined && stated !== counted) this.#deviates({ kind: 'request-differs', requestId, stated, counted })
    const { contract, params } = this.#account.record
    const cost = counted * params.pricePerToken
    this.#context.emit({ type: 'charged', clientContract: contract.toString(), requestId, tokens: counted, cost })
  }

  #deviates(deviation: Extract<ClientEvent, { type: 'deviation' }>['deviation']): void {
    this.#context.logger.warn('the proxy told what does not add up', { kind: deviation.kind })
    this.#context.emit({ type: 'deviation', clientContract: this.#account.record.contract.toString(), deviation })
  }

  #reservedBeside(requestId: string): bigint {
    return this.#reservedSum - (this.#reserved.get(requestId) ?? 0n)
  }

  #sendCancel(id: Uint8Array): void {
    this.#connection.send(encode({ '@type': 'client.cancelQuery', request_id: id })).catch((error: unknown) => {
      this.#context.logger.debug('cancel not sent', { reason: String(error) })
    })
  }

  #onDone(requestId: string): void {
    const query = this.#queries.get(requestId)
    this.#queries.delete(requestId)
    this.#reservedSum = this.#reservedBeside(requestId)
    this.#reserved.delete(requestId)
    if (query !== undefined) this.#finished.set(requestId, query.tokens)
    if (this.#finished.size > mostRemembered) {
      const [oldest] = this.#finished.keys()
      if (oldest !== undefined) this.#finished.delete(oldest)
    }
    this.#context.onRunning()
  }
}
