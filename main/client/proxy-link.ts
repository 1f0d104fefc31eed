import type { Address } from '@ton/core'
import { asError, Failure } from '../base/failure.ts'
import { hexOf } from '../base/hex.ts'
import type { Logger } from '../base/logger.ts'
import { randomId } from '../base/random-id.ts'
import { reservedTokens } from '../protocol/accounting/adjusted-tokens.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { keyField, keysSince } from '../protocol/handshake/versions.ts'
import { encodeHttpRequest, type HeaderList } from '../protocol/http/http-message.ts'
import type { FormBytes } from '../protocol/requests/form.ts'
import { cacheScopeHeader } from '../protocol/sealed/direct/cache-scope.ts'
import { type SealedHead, sealedRequestBytes, sealRequest } from '../protocol/sealed/direct/request.ts'
import type { SealedWorker, UsageEvidence } from '../protocol/sealed/outcome.ts'
import type { Asked } from '../protocol/sealed/recount.ts'
import { decode, encode, nameOf, sharingDecoder } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { encodePacket } from '../protocol/wire/tcp-packets.ts'
import type { Account } from './account.ts'
import { fundsOf } from './budget.ts'
import type { ChatQuery } from './chat-query.ts'
import type { KnownProxy } from './handshake.ts'
import type { KnownKeys } from './known-keys.ts'
import { LinkQuality } from './link-quality.ts'
import { type ModelOffer, offersOf } from './model-offer.ts'
import { Opening } from './opening-answer.ts'
import type { ClientEvent } from './options.ts'
import { localFailure } from './query-failure.ts'
import { RequestBook } from './request-book.ts'
import { type QueryHandle, RunningQuery } from './running-query.ts'
import { chooseReader } from './seal-choice.ts'
import { requireSealable, sealedHeadOf } from './sealed-head.ts'
import { ToldAccount } from './told-account.ts'
import { logUsage } from './usage-log.ts'
import { judgeUsage } from './usage-plausible.ts'
import { WorkerKeys } from './worker-keys.ts'

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

/** Answers go to their reader and are forgotten. */
const decodeIncoming = sharingDecoder(
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
)

const jsonBody = (text: string): FormBytes => ({ contentType: 'application/json', bytes: new TextEncoder().encode(text) })

interface SealedSending {
  readonly query: ChatQuery
  readonly id: Uint8Array
  /** As it leaves readable. */
  readonly request: Uint8Array
  /** As it is sealed to the worker with that key; of the same length for each. */
  readonly insideSeal: (keyId: Uint8Array) => Uint8Array
  readonly running: RunningQuery
  readonly asked: Asked
  readonly signal: AbortSignal
}

/** Of one answer so much may wait for its reader. */
const mostWaitingBytes = 8 << 20

/** One authorized proxy connection: queries and their answers, and the account as the proxy tells it (protocol 30 §7, §4). */
export class ProxyLink {
  readonly #connection: PacketConnection
  readonly #proxy: KnownProxy
  readonly #account: Account
  readonly #context: ClientLinkContext
  readonly #requests = new RequestBook()
  readonly #told: ToldAccount
  readonly quality = new LinkQuality()
  readonly #keys: WorkerKeys
  #offers: readonly ModelOffer[] | undefined

  constructor(connection: PacketConnection, proxy: KnownProxy, account: Account, context: ClientLinkContext) {
    this.#connection = connection
    this.#proxy = proxy
    this.#account = account
    this.#context = context
    this.#told = new ToldAccount(account, this.#requests, context.logger, context.emit)
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
      for (const query of this.#requests.all())
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
    return this.#requests.size
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
    return spendable === undefined ? undefined : spendable - this.#requests.reserved
  }

  /** Sends a query. Failures show in the handle, but for `invalid-request` of what no seal has a place for. */
  run(query: ChatQuery, signal: AbortSignal): QueryHandle {
    const isSealing = query.seal !== 'none' && this.#proxy.seals
    if (isSealing) requireSealable(query.limits)
    const id = randomId()
    const requestId = hexOf(id)
    const { contentType, bytes } = typeof query.body === 'string' ? jsonBody(query.body) : query.body
    const headers: HeaderList = [
      ['Content-Type', contentType],
      ['Accept', typeof query.body === 'string' ? 'text/event-stream, application/json' : '*/*'],
    ]
    const http = { method: 'POST', path: query.path, headers, body: bytes }
    const request = encodeHttpRequest(http)
    const { cacheScope } = query
    const insideSeal = (keyId: Uint8Array): Uint8Array =>
      cacheScope === undefined ? request : encodeHttpRequest(http, [[cacheScopeHeader, cacheScope(keyId)]])
    const { pricePerToken, multipliers } = this.#account.record.params
    const asked = { queryBytes: request.length, maxTokens: query.maxTokens, maxCoefficient: query.maxCoefficient, multipliers }
    const reserve = reservedTokens(
      query.maxTokens,
      isSealing ? sealedRequestBytes(this.#headOf(query, id, id), insideSeal(id).length) : request.length,
      query.maxCoefficient,
    )
    const running = new RunningQuery({
      requestId,
      timeoutMs: query.timeoutMs,
      pricePerToken,
      judge: (tokens, answerBytes) => {
        const verdict = judgeUsage(tokens, asked, answerBytes)
        if (verdict === 'plausible') return 'believable'
        this.#told.deviates({
          kind: verdict === 'impossible' ? 'usage-impossible' : 'usage-too-much',
          requestId,
          stated: tokens.total,
        })
        return verdict === 'impossible' ? 'impossible' : 'believable'
      },
      reservation: () => ({
        needed: reserve * pricePerToken,
        funds: fundsOf(this.#account.counters, pricePerToken, this.#requests.reservedBeside(requestId)),
      }),
      cancel: this.#proxy.cancels ? () => this.#sendCancel(id) : undefined,
      signal,
      cancelWaitMs: this.#context.cancelWaitMs,
      mostWaitingBytes,
      seal: {
        scheme: 'none',
        reason: isSealing ? 'not-sent' : query.seal === 'none' ? 'not-wanted' : 'proxy-without',
      },
      onDone: () => {
        this.#requests.finished(requestId)
        this.#context.onRunning()
      },
    })
    this.quality.follow(running)
    this.#requests.add(running, reserve)
    this.#context.onRunning()
    if (isSealing) {
      void this.#sendSealed({ query, id, request, insideSeal, running, asked, signal })
      // What was told of the workers may be old.
      running.head.catch((thrown: unknown) => {
        this.#keys.forget(query.model)
        const wasRefused = thrown instanceof Failure && (thrown.code === 'worker-gone' || thrown.code === 'seal-refused')
        if (wasRefused && running.seal.scheme === 'direct') this.#keys.refusedBy(query.model, running.seal.worker.keyId)
      })
    } else this.#sendPlain(query, id, request, running)
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

  #headOf(query: ChatQuery, requestId: Uint8Array, keyId: Uint8Array): SealedHead {
    return sealedHeadOf(query, { keyId, requestId, proxy: this.#proxy.proxyContract })
  }

  /** Seals to a worker of this proxy, and leaves unsealed only where that was wished for and nobody could be sealed to. Never rejects. */
  async #sendSealed({ query, id, request, insideSeal, running, asked, signal }: SealedSending): Promise<void> {
    try {
      const list = await this.#keys.of(query.model)
      // It may have failed, or been stopped, meanwhile.
      if (signal.aborted) return running.neverLeft()
      if (running.isDone) return
      const objectionTo = query.objectionTo && ((worker: SealedWorker) => query.objectionTo?.(worker, this.#connection))
      const reader = chooseReader(this.#keys, list, query, objectionTo, this.#context.logger)
      if (reader instanceof Failure) return running.fail(reader)
      if (reader === 'readable') {
        if (!this.#mayGo(query, running)) return
        running.leavesUnsealed('no-keys')
        return this.#sendPlain(query, id, request, running)
      }
      const { bytes, opener } = await sealRequest(insideSeal(reader.key.id), this.#headOf(query, id, reader.key.id), reader.key)
      if (signal.aborted) return running.neverLeft()
      if (running.isDone || !this.#mayGo(query, running)) return
      const { requestId } = running
      const deviates = (usage: UsageEvidence): void => {
        logUsage(this.#context.logger, requestId, usage)
        this.#told.deviates({ kind: 'sealed-usage', requestId, deviations: usage.deviations })
      }
      running.leavesSealed(new Opening({ opener, worker: reader.worker, asked, requestBytes: bytes.length, deviates }))
      this.#send(running, {
        '@type': 'client.runSealedQuery',
        ...this.#shared(query, id),
        query: bytes,
        flags: 1,
        worker_key: reader.key.id,
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
        return this.#requests.find(hexOf(message.request_id))?.onAnswer(message.answer, message.final_info)
      case 'client.queryAnswerPartEx':
        return this.#requests.find(hexOf(message.request_id))?.onPart(message.answer, message.final_info)
      case 'client.queryAnswerErrorEx':
        return this.#requests.find(hexOf(message.request_id))?.onError(message.error_code, message.error, message.final_info)
      // The own refusals of older proxies come in this form whatever the protocol version (protocol 30 §7.3).
      case 'client.queryAnswerError':
      case 'client.queryAnswerPartError':
        return this.#requests.find(hexOf(message.request_id))?.onError(message.error_code, message.error)
      case 'proxy.clientRequestPayment':
        return this.#told.request(message)
      case 'proxy.signedPayment':
      case 'proxy.signedPaymentEmpty':
        return this.#told.payment(message)
    }
  }

  /** Asks for the newest signed payment and totals; returns the round trip in ms. */
  async updatePaymentStatus(timeoutMs: number): Promise<number> {
    const askedAt = performance.now()
    const answer = await this.#connection.query(encode({ '@type': 'client.updatePaymentStatus' }), { timeoutMs })
    const latencyMs = performance.now() - askedAt
    this.#told.status(decode(answer, 'client.paymentStatus'))
    return latencyMs
  }

  /** Models of this proxy with their enabled workers, cheapest first (protocol 30 §8.1). */
  async models(timeoutMs: number): Promise<ModelOffer[]> {
    const answer = await this.#connection.query(encode({ '@type': 'client.getWorkerTypesV2' }), { timeoutMs })
    const offers = offersOf(decode(answer, 'client.workerTypesV2'))
    this.#offers = offers
    return offers
  }

  /** What came with the authorization. */
  authorized(success: TlObject<'client.authorizationWithProxySuccess'>): void {
    this.#told.authorized(success)
  }

  #sendCancel(id: Uint8Array): void {
    this.#connection.send(encode({ '@type': 'client.cancelQuery', request_id: id })).catch((error: unknown) => {
      this.#context.logger.debug('cancel not sent', { reason: String(error) })
    })
  }
}
