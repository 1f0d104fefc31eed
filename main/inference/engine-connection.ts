import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type ResponseHead, ResponseParser } from './http-response-parser.ts'

export interface EngineResponse extends ResponseHead {
  /** Ends early, without an error, when the signal aborts. Rejects when the connection breaks or the server sends what is no HTTP. */
  readonly body: AsyncIterable<Uint8Array>
}

/** The server closed a connection that was used again before it has answered a byte: nobody has read the request. */
export class StaleConnection extends Error {}

/** The socket is not read further while more than this waits for its reader. */
const mostWaitingBytes = 256 * 1024
/** Up to this size head and body leave in one string, which costs one system call and no list of buffers. */
const mostJoinedBytes = 12 * 1024

/** One request and its response on one connection. */
class Exchange implements AsyncIterator<Uint8Array> {
  readonly response: Promise<EngineResponse>
  readonly #connection: EngineConnection
  readonly #signal: AbortSignal
  readonly #response = Promise.withResolvers<EngineResponse>()
  #chunks: Uint8Array[] = []
  #bytes = 0
  #begun = false
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined
  readonly #abort = (): void => {
    if (!this.#begun) this.#response.reject(this.#signal.reason)
    this.#chunks = []
    this.#connection.destroy()
    this.end()
  }

  constructor(connection: EngineConnection, signal: AbortSignal) {
    this.#connection = connection
    this.#signal = signal
    this.response = this.#response.promise
    signal.addEventListener('abort', this.#abort)
  }

  onHead(head: ResponseHead): void {
    this.#begun = true
    this.#response.resolve({ ...head, body: { [Symbol.asyncIterator]: () => this } })
  }

  onBody(bytes: Uint8Array): void {
    if (this.#ended) return
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes > mostWaitingBytes) this.#connection.pause()
    this.#wake?.()
  }

  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#signal.removeEventListener('abort', this.#abort)
    if (!this.#begun) this.#response.reject(error ?? new Error('the response broke off'))
    this.#wake?.()
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const [first] = this.#chunks
      if (first !== undefined) {
        // What came together is read together.
        const value = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
        this.#chunks = []
        if (this.#bytes > mostWaitingBytes) this.#connection.resume()
        this.#bytes = 0
        return { done: false, value }
      }
      if (this.#error !== undefined) throw this.#error
      if (this.#ended) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }

  /** Nobody reads on: a body that has not come to its end is given up with its connection. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#chunks = []
    if (!this.#ended) {
      this.#connection.destroy()
      this.end()
    }
    return { done: true, value: undefined }
  }
}

/** A connection to an HTTP server, for one request after the other. */
export class EngineConnection {
  readonly #socket: Socket
  readonly #onFree: (connection: EngineConnection) => void
  readonly #onGone: (connection: EngineConnection) => void
  #exchange: Exchange | undefined
  #parser: ResponseParser | undefined
  /** Something of the present response has come. */
  #answered = false
  #used = false
  #usableUntil = Number.POSITIVE_INFINITY
  #paused = false

  /**
   * @param onFree the connection may be used again
   * @param onGone it is closed
   */
  constructor(base: URL, onFree: (connection: EngineConnection) => void, onGone: (connection: EngineConnection) => void) {
    const host = base.hostname.replace(/^\[|\]$/g, '')
    const isSecure = base.protocol === 'https:'
    const place = { host, port: Number(base.port) || (isSecure ? 443 : 80) }
    this.#socket = isSecure
      ? connectTls({ ...place, ALPNProtocols: ['http/1.1'], ...(isIP(host) ? {} : { servername: host }) })
      : connect(place)
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, 1_000)
    this.#onFree = onFree
    this.#onGone = onGone
    this.#socket.on('data', (part: Buffer) => this.#onData(part))
    this.#socket.on('end', () => this.#onEnd())
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => {
      this.#fail(new Error('the connection was closed'))
      this.#onGone(this)
    })
  }

  /** Whether the server has not said that it would be closing by now. */
  get isUsable(): boolean {
    return !this.#socket.destroyed && performance.now() < this.#usableUntil
  }

  /**
   * Sends a request of which nothing can be misread: the caller has checked it. Resolves with the head of the response.
   * @throws StaleConnection; Error of the connection; MalformedResponse; the reason of the signal
   */
  send(head: string, body: Uint8Array, signal: AbortSignal): Promise<EngineResponse> {
    const exchange = new Exchange(this, signal)
    this.#exchange = exchange
    this.#answered = false
    this.#socket.ref()
    this.#parser = new ResponseParser({
      onHead: (found) => exchange.onHead(found),
      onBody: (bytes) => exchange.onBody(bytes),
      onEnd: (reusableMs) => this.#complete(exchange, reusableMs),
    })
    if (body.length <= mostJoinedBytes) {
      const letters = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1')
      this.#socket.write(head + letters, 'latin1')
    } else {
      this.#socket.cork()
      this.#socket.write(head, 'latin1')
      this.#socket.write(body)
      this.#socket.uncork()
    }
    return exchange.response
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #onData(part: Buffer): void {
    this.#answered = true
    // An idle server has nothing to say.
    if (this.#parser === undefined) return this.destroy()
    try {
      this.#parser.push(part)
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new Error('the response could not be read'))
      this.destroy()
    }
  }

  #onEnd(): void {
    try {
      this.#parser?.close()
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new Error('the response broke off'))
    }
    this.destroy()
  }

  #complete(exchange: Exchange, reusableMs: number): void {
    this.#exchange = undefined
    this.#parser = undefined
    if (this.#paused) this.resume()
    // A server that answers before it has read the whole request may not find the beginning of the next one.
    if (reusableMs <= 0 || this.#socket.writableLength > 0) this.destroy()
    else {
      this.#used = true
      this.#usableUntil = performance.now() + reusableMs
      this.#socket.unref()
      this.#onFree(this)
    }
    exchange.end()
  }

  #fail(error: Error): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#exchange = undefined
    this.#parser = undefined
    exchange.end(this.#used && !this.#answered ? new StaleConnection(error.message, { cause: error }) : error)
  }
}
