import type { Address } from '@ton/core'
import { asError, Failure } from '../base/failure.ts'
import { hexOf } from '../base/hex.ts'
import type { Logger } from '../base/logger.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import type { Tariff } from '../protocol/accounting/usage-meter.ts'
import { carriedKey, keysSince } from '../protocol/handshake/versions.ts'
import type { KeyRing } from '../protocol/sealed/direct/key-ring.ts'
import { decode, decoder, encode, nameOf } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { encodePacket } from '../protocol/wire/tcp-packets.ts'
import { peerErrorCodes, QueryRefused, TcpQueryError } from '../protocol/wire/wire-error.ts'
import type { KnownProxy } from './handshake.ts'
import { type ProxyBalance, violation } from './proxy-balance.ts'
import { QueryReply, unasked } from './query-reply.ts'
import { serveEnvelope } from './serve-envelope.ts'
import { failedBy, type QueryOutcome, serveQuery } from './serve-query.ts'
import { serveSealed } from './serve-sealed.ts'
import type { WorkerEvent } from './worker-event.ts'

export interface ProxyLinkContext {
  readonly backend: OpenAiBackend
  readonly logger: Logger
  readonly tariff: () => Tariff
  /** nanoton per adjusted token */
  readonly workerFeePerToken: () => bigint
  /** Takes a place for a request, or says why there is none; the place is free again after `release`. */
  readonly admit: () => { readonly release: () => void } | { readonly code: number; readonly text: string }
  /** Keys that questions are sealed to; undefined where this worker takes no part in that. */
  readonly keyRing: KeyRing | undefined
  /** Told the id (hex) of each key right before it is announced. */
  readonly onKey: (keyId: string) => void
  /** See `WorkerOptions.changeModel`. */
  readonly changeModel: ((newModel: string) => Promise<void>) | undefined
  /** See `WorkerOptions.knowsPrivateKey`. */
  readonly knowsPrivateKey: ((privateKey: Uint8Array) => Promise<boolean>) | undefined
  readonly emit: (event: WorkerEvent) => void
  readonly now: () => number
}

type RunMessage = TlObject<'proxy.runQueryEx' | 'proxy.runQuery' | 'proxy.runSealedQuery'>
const decodeIncoming = decoder(
  'proxy.runQueryEx',
  'proxy.runQuery',
  'proxy.runSealedQuery',
  'proxy.cancelQuery',
  'proxy.workerRequestPayment',
  'proxy.signedPayment',
  'proxy.signedPaymentEmpty',
)

/** `NAME@COMMIT:HASH` or a part of it: nothing that a program could take for an option, or a shell for more. */
const modelNames = /^\w[\w./:@+-]{0,511}$/
/** Requests whose count the proxy has not told yet; older ones are forgotten beyond this number. */
const mostUncounted = 10_000

/** One proxy connection after the introduction: serves its queries, keeps its promises, tells it about changes (protocol 40 §3). */
export class ProxyLink {
  readonly #connection: PacketConnection
  readonly #proxy: KnownProxy
  readonly #balance: ProxyBalance
  readonly #context: ProxyLinkContext
  readonly #names: { readonly proxy: string; readonly workerContract: string }
  readonly #lost = new AbortController()
  readonly #running = new Map<string, AbortController>()
  readonly #serving = new Set<Promise<void>>()
  /** Finished requests by id, with the adjusted tokens that were reported for them. */
  readonly #uncounted = new Map<string, bigint>()
  /** The proxy's total that the ledger was told last, by a count or as a total. */
  #ledgerTotal: bigint | undefined
  /** Hex id of the key that the proxy was told last. */
  #announcedKey: string | undefined

  constructor(connection: PacketConnection, proxy: KnownProxy, balance: ProxyBalance, context: ProxyLinkContext) {
    this.#connection = connection
    this.#proxy = proxy
    this.#balance = balance
    this.#context = context
    this.#names = { proxy: proxy.proxyContract.toString(), workerContract: proxy.workerContract.toString() }
    void connection.closed.then(() => {
      this.#lost.abort()
      try {
        balance.flush()
      } catch (thrown) {
        context.logger.warn('the totals of the last moments were not saved', { reason: asError(thrown).message })
      }
    })
  }

  get workerContract(): Address {
    return this.#proxy.workerContract
  }

  get #seals(): boolean {
    return this.#proxy.seals && this.#context.keyRing !== undefined
  }

  /** Resolves when no request is being served any more; soon after the end of the connection, which gives all of them up. */
  async idle(): Promise<void> {
    await Promise.all(this.#serving)
  }

  /** Handler of one-way packets. Quick: queries go on beside it. Throws for what the protocol forbids, which ends the connection. */
  onPacket(data: Uint8Array): void {
    // Messages of later protocol versions are dropped, as the network's nodes drop what they do not know.
    if (nameOf(data) === undefined) return this.#context.logger.debug('unknown message of the proxy dropped')
    const message = decodeIncoming(data)
    switch (message['@type']) {
      case 'proxy.runQueryEx':
      case 'proxy.runQuery':
      case 'proxy.runSealedQuery':
        if (message['@type'] === 'proxy.runSealedQuery' && !this.#seals)
          throw violation('The proxy sent a sealed query, which was not agreed on.')
        this.#offer(message.signed_payment)
        this.#begin(message)
        return
      case 'proxy.cancelQuery':
        this.#running.get(hexOf(message.request_id))?.abort()
        return
      case 'proxy.workerRequestPayment':
        this.#counted(message)
        return
      default:
        this.#offer(message)
    }
  }

  /** Handler of the proxy's questions. Throws `QueryRefused` or a TlError, which are the answer then. */
  async onQuery(data: Uint8Array): Promise<Uint8Array> {
    // Text of the network's nodes for a question that they do not know.
    if (nameOf(data) !== 'worker.changeModel') throw new QueryRefused(peerErrorCodes.none, 'Lost promise')
    const { new_model: model } = decode(data, 'worker.changeModel')
    const { changeModel, logger } = this.#context
    if (changeModel === undefined)
      throw new QueryRefused(peerErrorCodes.error, 'worker: changing the model is not configured here')
    if (!modelNames.test(model)) throw new QueryRefused(peerErrorCodes.protocolViolation, 'worker: this is no name of a model')
    try {
      await changeModel(model)
    } catch (thrown) {
      logger.warn('the model was not changed', { reason: asError(thrown).message })
      // What is no Failure may tell of this computer.
      const why = thrown instanceof Failure ? thrown.message : 'the change failed'
      throw new QueryRefused(peerErrorCodes.failure, `worker: ${why}`)
    }
    return encode({ '@type': 'worker.changedModel' })
  }

  /** Tells the proxy whether this worker takes requests. */
  async setDisabled(disabled: boolean): Promise<void> {
    await this.#connection.send(encode({ '@type': 'worker.enabledDisabled', disabled: disabled ? 1 : 0 }))
  }

  async setCoefficient(coefficient: number): Promise<void> {
    await this.#connection.send(encode({ '@type': 'worker.newCoefficient', new_coefficient: coefficient }))
  }

  /**
   * Asks for the newest signed payment and totals. Throws `Failure` when the proxy breaks its promises: close the connection.
   * @returns whether all that is known is on disk; if not, ask again soon
   */
  async updatePaymentStatus(timeoutMs: number): Promise<boolean> {
    let answer: Uint8Array
    try {
      answer = await this.#connection.query(encode({ '@type': 'worker.updatePaymentStatus' }), { timeoutMs })
    } catch (thrown) {
      // Its disk may be full. It goes on when there is room; leaving would lose the count of what was just answered.
      if (!(thrown instanceof TcpQueryError) || thrown.peerCode !== peerErrorCodes.notReady) throw thrown
      this.#context.logger.warn('the proxy tells no balance now', { reason: thrown.message })
      return false
    }
    const status = decode(answer, 'worker.paymentStatus')
    const told = { payment: status.signed_payment, dbTokens: status.db_tokens, maxTokens: status.max_tokens }
    const kept = this.#balance.accept(told)
    if (!kept) this.#context.logger.warn('the balance waits for room on the disk')
    if (status.max_tokens !== this.#ledgerTotal) this.tellTotal(false)
    return kept
  }

  /** Tells the ledger the proxy's total. @param lost it is lower than the proxy told before */
  tellTotal(lost: boolean): void {
    this.#ledgerTotal = this.#balance.told.maxTokens
    this.#context.emit({
      type: 'total',
      workerContract: this.#names.workerContract,
      tokens: this.#ledgerTotal,
      workerFeePerToken: this.#context.workerFeePerToken(),
      lost,
    })
  }

  /** Tells the proxy the key that questions are to be sealed to, where it is a new one. */
  async announceKey(): Promise<void> {
    const { keyRing } = this.#context
    if (!this.#seals || keyRing === undefined) return
    try {
      const { signedKey, id } = await keyRing.current()
      const name = hexOf(id)
      if (name === this.#announcedKey) return
      this.#announcedKey = name
      this.#context.onKey(name)
      await this.#connection.send(encode({ '@type': 'worker.sealingKey', signed_key: signedKey }))
    } catch (thrown) {
      // Questions that are not sealed are served all the same.
      this.#context.logger.warn('the key for sealed questions was not announced', { reason: asError(thrown).message })
    }
  }

  #offer(payment: TlObject<'proxy.signedPayment' | 'proxy.signedPaymentEmpty'>): void {
    const refusal = this.#balance.offer(payment)
    if (refusal !== undefined) this.#context.logger.warn('signed payment ignored', { reason: refusal })
  }

  #counted(message: TlObject<'proxy.workerRequestPayment'>): void {
    const before = this.#balance.told.maxTokens
    const requestId = hexOf(message.request_id)
    try {
      // No honest request earns less than nothing, or more than all of them together.
      if (message.request_tokens < 0n || message.request_tokens > message.max_tokens)
        throw violation(`The proxy counted ${message.request_tokens} tokens for one request.`)
      const told = { payment: message.signed_payment, dbTokens: message.db_tokens, maxTokens: message.max_tokens }
      this.#balance.accept(told, { saveLater: true })
    } catch (thrown) {
      this.#context.logger.error('the proxy broke its promises', { reason: asError(thrown).message })
      throw thrown
    }
    const reported = this.#uncounted.get(requestId)
    if (reported === undefined) return this.#context.logger.warn('the proxy counted a request that was not served here')
    this.#uncounted.delete(requestId)
    this.#ledgerTotal = message.max_tokens
    if (
      reported !== message.request_tokens ||
      message.max_tokens - before > message.request_tokens * BigInt(this.#uncounted.size + 1)
    )
      this.#context.logger.warn('the proxy counted otherwise', { reported, counted: message.request_tokens })
    this.#context.emit({
      type: 'counted',
      requestId,
      workerContract: this.#names.workerContract,
      requestTokens: message.request_tokens,
      maxTokens: message.max_tokens,
      workerFeePerToken: this.#context.workerFeePerToken(),
    })
  }

  #begin(message: RunMessage): void {
    // A reader of the events, or the disk, may fail: that ends the connection, not the app.
    const serving: Promise<void> = this.#serve(message)
      .catch((thrown: unknown) => {
        this.#context.logger.error('a request could not be kept track of', { reason: asError(thrown).message })
        this.#connection.close('A request could not be kept track of')
      })
      .finally(() => this.#serving.delete(serving))
    this.#serving.add(serving)
  }

  async #serve(message: RunMessage): Promise<void> {
    const { logger, now, emit } = this.#context
    const requestId = hexOf(message.request_id)
    if (this.#running.has(requestId) || this.#uncounted.has(requestId)) return logger.warn('a request came twice')
    const startedAtMs = now()
    const isEx = message['@type'] !== 'proxy.runQuery'
    const reply = new QueryReply({
      send: (object) => this.#connection.sendPacket(encodePacket(object)),
      requestId: message.request_id,
      protocol: isEx ? Math.max(1, this.#proxy.protocol) : 0,
      debug: isEx && message.enable_debug === true,
    })
    const place = this.#context.admit()
    if ('code' in place) {
      await reply.error(place.code, place.text, unasked(startedAtMs, now())).catch(() => undefined)
      return
    }
    const cancel = new AbortController()
    this.#running.set(requestId, cancel)
    let outcome: QueryOutcome
    try {
      emit({
        type: 'started',
        requestId,
        proxy: this.#names.proxy,
        workerContract: this.#names.workerContract,
        model: this.#context.backend.model,
        startedAtMs,
      })
      outcome = await this.#outcomeOf(message, reply, cancel.signal)
    } finally {
      this.#running.delete(requestId)
      place.release()
    }
    if (!this.#lost.signal.aborted) this.#remember(requestId, outcome.adjustedTokens)
    if (outcome.reason !== undefined) logger.warn('request failed', { reason: outcome.reason })
    emit({
      type: 'finished',
      requestId,
      result: outcome.result,
      ...outcome.counts,
      bytesReceived: message.query.length,
      bytesSent: reply.bytes,
      adjustedTokens: outcome.adjustedTokens,
      tookMs: now() - startedAtMs,
      finishedAtMs: now(),
    })
  }

  /** Never rejects. */
  async #outcomeOf(message: RunMessage, reply: QueryReply, cancelled: AbortSignal): Promise<QueryOutcome> {
    try {
      const privateKey = message['@type'] === 'proxy.runQueryEx' ? carriedKey(message.private_key) : undefined
      if (privateKey !== undefined && (await this.#context.knowsPrivateKey?.(privateKey)) === false)
        return await this.#refuseKey(reply)
      // Proxies of newer revisions bring requests of newer clients (protocol 95 §5).
      const revision = this.#proxy.protocol >= keysSince ? 'newest' : 'either'
      const query = { query: message.query, timeoutMs: message.timeout * 1000, revision } as const
      const context = {
        backend: this.#context.backend,
        tariff: this.#context.tariff(),
        cancelled,
        lost: this.#lost.signal,
        now: this.#context.now,
      }
      const { keyRing } = this.#context
      if (privateKey !== undefined) return await serveEnvelope(query, privateKey, reply, context)
      if (message['@type'] !== 'proxy.runSealedQuery' || keyRing === undefined) return await serveQuery(query, reply, context)
      const through = { keyRing, keyId: message.worker_key, proxy: this.#proxy.proxyContract }
      return await serveSealed(query, reply, context, through)
    } catch (thrown) {
      // The answer could not be sent: the connection ended, or the proxy reads too slowly.
      if (!this.#lost.signal.aborted) this.#connection.close('An answer could not be sent')
      return failedBy(asError(thrown).message)
    }
  }

  /** The key itself is nobody's to read. */
  async #refuseKey(reply: QueryReply): Promise<QueryOutcome> {
    const text = 'unknown private key'
    const now = this.#context.now()
    await reply.error(peerErrorCodes.error, text, unasked(now, now))
    return failedBy(text)
  }

  #remember(requestId: string, tokens: bigint): void {
    this.#uncounted.set(requestId, tokens)
    if (this.#uncounted.size <= mostUncounted) return
    const [oldest] = this.#uncounted.keys()
    if (oldest !== undefined) this.#uncounted.delete(oldest)
  }
}

/** What a proxy is told when there is no place for its request (protocol 40 §4). */
export const refusals = {
  full: { code: peerErrorCodes.error, text: 'too many active queries' },
  paused: { code: peerErrorCodes.notReady, text: 'worker is disabled' },
} as const
