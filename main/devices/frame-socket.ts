import type { TLSSocket } from 'node:tls'
import { deviceFailure } from './device-failure.ts'

const headerBytes = 4
const lingerMs = 1_000

export interface FrameLimits {
  /** Of one frame's JSON, both ways. */
  readonly mostBytes: number
  /** How long one frame of ours may wait for a reader that does not read. */
  readonly sendTimeoutMs: number
}

/**
 * JSON values over one TLS connection: a length of 4 bytes, big-endian, and that many bytes of UTF-8. Reads only when asked, so a peer that
 * sends more than is wanted fills its own buffers; holds at most one frame and what TLS has decrypted meanwhile.
 */
export class FrameSocket {
  readonly #socket: TLSSocket
  readonly #limits: FrameLimits
  #reading = false
  #wake: (() => void) | undefined
  #sending: Promise<void> = Promise.resolve()

  constructor(socket: TLSSocket, limits: FrameLimits) {
    this.#socket = socket
    this.#limits = limits
    // Errors are told to whoever reads or sends; without a listener they would end the process.
    socket.on('error', () => undefined)
    socket.setNoDelay(true)
    // Listened to for good: a listener that is added while a part of a frame waits is called at once, again and again.
    for (const event of ['readable', 'end', 'close']) socket.on(event, () => this.#wake?.())
  }

  /** Aborts when the connection is gone. */
  closed(): AbortSignal {
    const control = new AbortController()
    if (this.#socket.destroyed) control.abort()
    else this.#socket.once('close', () => control.abort())
    return control.signal
  }

  /**
   * The next value; undefined when the other side has ended the connection between two frames.
   * @throws Failure `device-malformed` (too long, cut off, no JSON), `device-silent` after `timeoutMs` without a whole frame; the connection
   *   is of no use then
   */
  async read(timeoutMs: number): Promise<unknown> {
    if (this.#reading) throw new TypeError('Only one may read at a time.')
    this.#reading = true
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#socket.destroy()
    }, timeoutMs)
    try {
      const header = await this.#take(headerBytes)
      if (header === undefined && late) throw deviceFailure('device-silent')
      if (header === undefined) return undefined
      const length = header.readUInt32BE(0)
      if (length === 0 || length > this.#limits.mostBytes) throw deviceFailure('device-malformed')
      const body = await this.#take(length)
      if (body === undefined) throw deviceFailure(late ? 'device-silent' : 'device-malformed')
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    } catch (thrown) {
      this.#socket.destroy()
      if (thrown instanceof SyntaxError || (thrown instanceof TypeError && 'code' in thrown))
        throw deviceFailure('device-malformed')
      throw thrown
    } finally {
      clearTimeout(timer)
      this.#reading = false
    }
  }

  /**
   * Resolves when the value was taken over by the network, so a slow reader slows its own answers.
   * @throws Failure `device-silent` when it was not in time, or the connection is gone
   */
  send(value: unknown): Promise<void> {
    const sent = this.#sending.then(() => this.#write(value))
    this.#sending = sent.catch(() => undefined)
    return sent
  }

  /** Sends a last value and ends. */
  async finish(value: unknown): Promise<void> {
    await this.send(value).catch(() => undefined)
    this.end()
  }

  /** Ends after what was sent. */
  end(): void {
    this.#socket.end()
    // What the other side still sends is not read; it must not keep the connection.
    setTimeout(() => this.#socket.destroy(), lingerMs).unref()
  }

  close(): void {
    this.#socket.destroy()
  }

  async #write(value: unknown): Promise<void> {
    const body = Buffer.from(JSON.stringify(value), 'utf8')
    if (body.length > this.#limits.mostBytes) throw new RangeError(`A frame of ${body.length} bytes is too long.`)
    const frame = Buffer.alloc(headerBytes + body.length)
    frame.writeUInt32BE(body.length, 0)
    body.copy(frame, headerBytes)
    if (this.#socket.destroyed || !this.#socket.writable) throw deviceFailure('device-silent')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const gone = (): void => reject(deviceFailure('device-silent'))
    const timer = setTimeout(() => this.#socket.destroy(), this.#limits.sendTimeoutMs)
    this.#socket.once('close', gone)
    this.#socket.write(frame, (error) => (error ? gone() : resolve()))
    try {
      await promise
    } finally {
      clearTimeout(timer)
      this.#socket.off('close', gone)
    }
  }

  /** Exactly so many bytes; undefined when the connection ended before. A part of them that came is lost, the connection is over. */
  async #take(length: number): Promise<Buffer | undefined> {
    const socket = this.#socket
    for (;;) {
      const bytes: Buffer | null = socket.read(length)
      if (bytes !== null) {
        if (bytes.length === length) return bytes
        if (bytes.length > 0) throw deviceFailure('device-malformed')
      }
      if (socket.readableEnded || socket.destroyed) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
