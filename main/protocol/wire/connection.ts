import type { Duplex } from 'node:stream'
import { asError, type Failure } from '../../base/failure.ts'
import { encodeWithHeadroom } from '../tl/codec.ts'
import type { TlObject } from '../tl/types.ts'
import type { FrameBudget } from './frame-budget.ts'
import { FrameParser, frameHeaderBytes, mostPayloadBytes, writeFrameHeader } from './frames.ts'
import { Inbox } from './inbox.ts'
import { Outbox } from './outbox.ts'
import { PendingQueries } from './pending-queries.ts'
import {
  type EncodedPacket,
  handlerFailure,
  mostDataBytes,
  randomLong,
  readTcpPacket,
  refusalOf,
  type TcpPacket,
} from './tcp-packets.ts'
import { peerErrorCodes, QueryRefused, WireError } from './wire-error.ts'

export interface PacketHandlers {
  /**
   * Answers a `tcp.query`. Started in order of arrival, but not awaited by what follows. Throw QueryRefused to answer with its code and text.
   * A TlError is answered with code 0: "Lost promise" for an unknown query, else the error's text. Anything else: 601, without details.
   * Without a handler every query gets "Lost promise".
   */
  readonly onQuery?: (data: Uint8Array) => Promise<Uint8Array> | Uint8Array
  /**
   * Takes a `tcp.packet`. The next packet waits until the returned promise settles, and reading pauses when too much waits: return a
   * promise to slow the peer down, but do not await the whole of a long request in it. A throw ends the connection, a TlError as
   * `protocol-violation`, anything else as `handler-failed`.
   */
  readonly onPacket?: (data: Uint8Array) => Promise<void> | void
}

export interface PacketConnectionLimits {
  /** Longest silence of the peer; 20 s when connecting, 60 s when accepting (10 §3). */
  readonly idleLimitMs?: number
  /** Silence after which the connecting side pings; 10 s. */
  readonly pingAfterMs?: number
  /** How long the ready handshake may take; 20 s. */
  readonly readyLimitMs?: number
  /** How long the peer may take no bytes at all while some wait; 30 s. */
  readonly stallLimitMs?: number
  /** Most bytes that may wait to be sent; 32 MiB. */
  readonly sendBufferBytes?: number
  /** Reading pauses while more than this waits for the handlers; 1 MiB. */
  readonly receiveBufferBytes?: number
  /** Reading pauses while this many queries of the peer are unanswered; 128. */
  readonly mostOpenQueries?: number
}

export interface PacketConnectionOptions extends PacketConnectionLimits {
  /** The connecting side sends `tcp.connect` and the pings. */
  readonly role: 'connecting' | 'accepting'
  /** Shared by all connections of a port. */
  readonly budget?: FrameBudget | undefined
}

/** Before `ready` only `tcp.connect` and `tcp.connected` are legal, which have 12 bytes. */
const mostBytesBeforeReady = 64
/** A frame that is coming in shows that the peer lives, but not when it comes byte by byte. */
const leastProgressBytes = 16 * 1024
/** After the peer's end, what was received before is still handled, but a slow handler does not delay `closed` longer. */
const drainLimitMs = 2_000
/** After `close()` queued frames may still leave within this time. */
const flushLimitMs = 2_000

/**
 * Frames, ready handshake, keep-alive, one-way packets and queries over any byte stream (10 §1 to §3).
 * Nothing is read or sent before `start`.
 */
export class PacketConnection {
  /** Settles once, when the connection is over; the value says why. Never rejects. */
  readonly closed: Promise<WireError>
  /** Settles when the peer is ready; rejects with the reason if the connection ends before. */
  readonly ready: Promise<void>

  readonly #stream: Duplex
  readonly #role: 'connecting' | 'accepting'
  readonly #idleLimitMs: number
  readonly #pingAfterMs: number
  readonly #readyLimitMs: number
  readonly #stallLimitMs: number
  readonly #parser = new FrameParser(mostBytesBeforeReady)
  readonly #inbox: Inbox
  readonly #outbox: Outbox
  readonly #queries = new PendingQueries()
  readonly #budget: FrameBudget | undefined
  readonly #holder = {
    giveUp: (): void =>
      this.#end(new WireError('peer-stalled', 'Its unfinished frame held up the memory of others', { retryable: true })),
  }
  readonly #ready = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<WireError>()
  #mostFrameBytes = mostPayloadBytes
  #handlers: PacketHandlers = {}
  #state: 'new' | 'opening' | 'ready' | 'ended' | 'closed' = 'new'
  #reason: WireError | undefined
  #seqno = 0
  #startedAt = 0
  #receivedAt = 0
  /** Of the frame that is coming in, since it last counted as a sign of life. */
  #unfinishedBytes = 0
  #pinged = false
  #timer: NodeJS.Timeout | undefined

  constructor(stream: Duplex, options: PacketConnectionOptions) {
    this.#stream = stream
    this.#role = options.role
    this.#budget = options.budget
    this.#idleLimitMs = options.idleLimitMs ?? (options.role === 'connecting' ? 20_000 : 60_000)
    this.#pingAfterMs = options.pingAfterMs ?? 10_000
    this.#readyLimitMs = options.readyLimitMs ?? 20_000
    this.#stallLimitMs = options.stallLimitMs ?? 30_000
    this.#outbox = new Outbox(stream, options.sendBufferBytes ?? 2 * mostPayloadBytes)
    this.#inbox = new Inbox({
      mostBytes: options.receiveBufferBytes ?? 1024 * 1024,
      mostOpenQueries: options.mostOpenQueries ?? 128,
      onPacket: (data) => this.#handlers.onPacket?.(data),
      onQuery: (id, data) => this.#answer(id, data),
      onFull: () => this.#stream.pause(),
      onRoom: () => this.#resume(),
      onFailure: (error) => this.#end(handlerFailure(error)),
    })
    this.ready = this.#ready.promise
    this.ready.catch(() => undefined)
    this.closed = this.#closed.promise
    const lost = (cause?: Error): void =>
      this.#lose(new WireError('connection-lost', 'The connection was lost', { cause, retryable: true }))
    // From the start: the stream may fail before start().
    stream.on('error', lost)
    stream.on('close', () => lost())
    stream.on('end', () => this.#lose(new WireError('closed-by-peer', 'The peer closed the connection', { retryable: true })))
  }

  /** True from the ready handshake until the connection ends. */
  get isReady(): boolean {
    return this.#state === 'ready'
  }

  /** Largest frame that the peer may send from its next one on; 16 MiB at first. */
  set mostFrameBytes(bytes: number) {
    this.#mostFrameBytes = bytes
    if (this.#state === 'ready') this.#parser.mostPayloadBytes = bytes
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#outbox.bytes
  }

  /**
   * Begins to read and write; the connecting side asks to be connected. Resolves when the peer is ready (it is the promise `ready`).
   * Call it once, with the handlers of everything the peer may send.
   */
  start(handlers: PacketHandlers): Promise<void> {
    if (this.#state === 'closed' || this.#state === 'ended') return this.ready
    if (this.#state !== 'new') throw new TypeError('start() was called twice')
    this.#handlers = handlers
    this.#state = 'opening'
    this.#startedAt = performance.now()
    this.#receivedAt = this.#startedAt
    const shortestMs = Math.min(this.#idleLimitMs, this.#pingAfterMs, this.#readyLimitMs, this.#stallLimitMs)
    this.#timer = setInterval(() => this.#onTick(), Math.max(5, Math.min(1_000, shortestMs / 4)))
    this.#timer.unref()
    this.#stream.on('data', (chunk: Uint8Array) => this.#onData(chunk))
    if (this.#role === 'connecting') this.#sendOwed({ '@type': 'tcp.connect', id: randomLong() })
    return this.ready
  }

  /**
   * Sends a `tcp.packet`. The bytes are queued at once, in order of the calls; the promise resolves when little enough waits, so await it
   * to go no faster than the peer reads.
   * @throws WireError (as a rejection) the reason of closing; `not-ready`, `send-too-large` or `send-buffer-full`, when nothing was sent
   */
  send(data: Uint8Array): Promise<void> {
    const sent = this.#send({ '@type': 'tcp.packet', data })
    // Who does not await it learns of the loss from `closed`; that must not count as an unhandled rejection.
    sent.catch(() => undefined)
    return sent
  }

  /** As `send`, for an object that was encoded for this connection: nothing is copied. */
  sendPacket(packet: EncodedPacket): Promise<void> {
    if (this.#state !== 'ready') return this.#refused(this.#notSent())
    if (packet.dataBytes > mostDataBytes) return this.#refused(tooLarge(packet.dataBytes))
    const sent = this.#sendFrame(packet.frame)
    sent.catch(() => undefined)
    return sent
  }

  /**
   * Sends a `tcp.query` and waits for its answer on this connection.
   * @throws TcpQueryError when the peer refuses; WireError `query-timeout`, `query-aborted`, what `send` throws, or the reason of closing,
   * at once when the connection ends
   */
  query(data: Uint8Array, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Uint8Array> {
    if (options.signal?.aborted) return Promise.reject(new WireError('query-aborted', 'The query was given up'))
    const id = this.#queries.freshId()
    const answer = this.#queries.add(id, options)
    this.#send({ '@type': 'tcp.query', id, data }).catch((error: unknown) => this.#queries.reject(id, asError(error)))
    return answer
  }

  /**
   * Ends the connection in order: frames already queued still leave (for at most 2 s), packets not yet handled are dropped.
   * @param reason a failure is the cause of what `closed` settles with, which says the same
   */
  close(reason: string | Failure = 'Closed here'): void {
    const { message, words, cause } =
      typeof reason === 'string' ? { message: reason } : { message: reason.message, words: reason.words, cause: reason }
    this.#end(new WireError('closed-here', message, { words, cause }))
  }

  get #isOpen(): boolean {
    return this.#state === 'opening' || this.#state === 'ready'
  }

  #onData(chunk: Uint8Array): void {
    if (!this.#isOpen) return
    this.#unfinishedBytes += chunk.length
    try {
      this.#parser.push(chunk, (payload) => {
        this.#unfinishedBytes = leastProgressBytes
        this.#budget?.hold(this.#holder, 0)
        // A handler may have ended the connection: what stands behind in this chunk is not read any more.
        if (this.#isOpen) this.#onPacket(readTcpPacket(payload))
      })
    } catch (error) {
      this.#end(
        error instanceof WireError ? error : new WireError('protocol-violation', 'The peer sent no packet', { cause: error }),
      )
    }
    if (this.#isOpen) this.#budget?.hold(this.#holder, this.#parser.heldBytes)
    if (this.#unfinishedBytes < leastProgressBytes) return
    this.#unfinishedBytes = 0
    this.#receivedAt = performance.now()
    this.#pinged = false
  }

  #onPacket(packet: TcpPacket): void {
    const type = packet['@type']
    if (type === 'tcp.connect' || type === 'tcp.connected') {
      if (this.#state === 'ready') return
      if ((type === 'tcp.connect') !== (this.#role === 'accepting'))
        throw new WireError('protocol-violation', `The peer sent ${type}, which is not its part`)
      if (type === 'tcp.connect') this.#sendOwed({ '@type': 'tcp.connected', id: packet.id })
      this.#becomeReady()
      return
    }
    if (this.#state !== 'ready')
      throw new WireError('protocol-violation', `The peer sent ${type} before the connection was ready`)
    switch (type) {
      case 'tcp.ping':
        this.#sendOwed({ '@type': 'tcp.pong', id: packet.id })
        return
      case 'tcp.pong':
        return
      case 'tcp.packet':
        this.#inbox.addPacket(packet.data)
        return
      case 'tcp.query':
        this.#inbox.addQuery(packet.id, packet.data)
        return
      case 'tcp.queryAnswer':
        // What follows in the stream may depend on the answer: let its waiter run first.
        if (this.#queries.resolve(packet.id, packet.data)) this.#inbox.yieldOnce()
        return
      case 'tcp.queryError':
        if (this.#queries.refuse(packet.id, packet.code, packet.message)) this.#inbox.yieldOnce()
        return
    }
  }

  #becomeReady(): void {
    this.#state = 'ready'
    this.#parser.mostPayloadBytes = this.#mostFrameBytes
    this.#inbox.yieldOnce()
    this.#ready.resolve()
  }

  async #answer(id: bigint, data: Uint8Array): Promise<void> {
    let answer: TlObject<'tcp.queryAnswer' | 'tcp.queryError'>
    try {
      if (!this.#handlers.onQuery) throw new QueryRefused(peerErrorCodes.none, 'Lost promise')
      answer = { '@type': 'tcp.queryAnswer', id, data: await this.#handlers.onQuery(data) }
      if (answer.data.length > mostDataBytes) throw new QueryRefused(peerErrorCodes.error, 'The answer is too large')
    } catch (error) {
      answer = { '@type': 'tcp.queryError', id, ...refusalOf(error) }
    }
    if (this.#state === 'ready') this.#sendOwed(answer)
  }

  /** Sends what the protocol owes the peer; a peer that lets so much of it pile up is cut off. */
  #sendOwed(packet: TcpPacket): void {
    this.#send(packet).catch((error: unknown) => {
      if (error instanceof WireError && error.code === 'send-buffer-full')
        this.#end(new WireError('peer-stalled', 'The peer does not read', { retryable: true }))
    })
  }

  #send(packet: TcpPacket): Promise<void> {
    const handshake = packet['@type'] === 'tcp.connect' || packet['@type'] === 'tcp.connected'
    if (this.#state !== 'ready' && !(this.#state === 'opening' && handshake)) return Promise.reject(this.#notSent())
    if ('data' in packet && packet.data.length > mostDataBytes) return Promise.reject(tooLarge(packet.data.length))
    return this.#sendFrame(encodeWithHeadroom(packet, frameHeaderBytes))
  }

  /** Who does not await a refusal learns of the loss from `closed`. */
  #refused(reason: WireError): Promise<void> {
    const refused = Promise.reject(reason)
    refused.catch(() => undefined)
    return refused
  }

  #sendFrame(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.#outbox.hasRoomFor(frame.length))
      return Promise.reject(new WireError('send-buffer-full', 'The peer reads too slowly; nothing was sent', { retryable: true }))
    writeFrameHeader(frame, this.#seqno)
    this.#seqno = (this.#seqno + 1) | 0
    const room = this.#outbox.add(frame)
    if (!room) return sent
    return room.then(() => {
      if (!this.#isOpen) throw this.#notSent()
    })
  }

  #notSent(): WireError {
    return this.#reason ?? new WireError('not-ready', 'The connection is not ready', { retryable: true })
  }

  #resume(): void {
    if (!this.#isOpen) return
    // The pause was ours, so the silence was not the peer's.
    this.#receivedAt = performance.now()
    this.#stream.resume()
  }

  #onTick(): void {
    const now = performance.now()
    const endRetryable = (code: 'peer-silent' | 'peer-stalled', message: string): void =>
      this.#end(new WireError(code, message, { retryable: true }))
    if (this.#state === 'opening' && now - this.#startedAt > this.#readyLimitMs)
      return endRetryable('peer-silent', 'The peer did not complete the handshake')
    if (this.#outbox.stalledMs(now) > this.#stallLimitMs) return endRetryable('peer-stalled', 'The peer does not read')
    if (this.#inbox.isFull) return
    const silentMs = now - this.#receivedAt
    if (silentMs > this.#idleLimitMs) return endRetryable('peer-silent', 'The peer fell silent')
    if (this.#role === 'connecting' && this.#state === 'ready' && !this.#pinged && silentMs > this.#pingAfterMs) {
      this.#pinged = true
      this.#sendOwed({ '@type': 'tcp.ping', id: randomLong() })
    }
  }

  /** The stream ended from without: what was received before is still handled, then the connection is over. */
  #lose(reason: WireError): void {
    if (this.#state === 'closed' || this.#state === 'ended') return
    this.#state = 'ended'
    this.#reason = reason
    clearInterval(this.#timer)
    this.#dropFrame()
    this.#outbox.drop()
    this.#queries.failAll(reason)
    this.#ready.reject(reason)
    const limit = setTimeout(() => this.#end(reason), drainLimitMs)
    this.#inbox.whenEmpty().then(() => {
      clearTimeout(limit)
      this.#end(reason)
    })
  }

  #end(latest: WireError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const reason = this.#reason ?? latest
    this.#reason = reason
    clearInterval(this.#timer)
    this.#dropFrame()
    this.#inbox.drop()
    this.#queries.failAll(reason)
    if (reason.code === 'closed-here') this.#finish()
    else {
      this.#outbox.drop()
      this.#stream.destroy()
    }
    this.#ready.reject(reason)
    this.#closed.resolve(reason)
  }

  #dropFrame(): void {
    this.#parser.drop()
    this.#budget?.hold(this.#holder, 0)
  }

  /** Lets the queued frames leave, and the peer's own end arrive (whatever else it sends is dropped). */
  #finish(): void {
    if (this.#stream.listenerCount('data') === 0) this.#stream.on('data', () => undefined)
    this.#stream.resume()
    this.#outbox.whenSent(() => this.#stream.end())
    const limit = setTimeout(() => this.#stream.destroy(), flushLimitMs)
    this.#stream.once('close', () => {
      clearTimeout(limit)
      this.#outbox.drop()
    })
  }
}

const sent = Promise.resolve()

function tooLarge(bytes: number): WireError {
  return new WireError('send-too-large', `${bytes} bytes do not fit into one frame`)
}
