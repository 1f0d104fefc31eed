/** The head of a response, as its server wrote it. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

export interface ResponseSink {
  readonly onHead: (head: ResponseHead) => void
  /** A part of the body; a view of what was pushed. */
  readonly onBody: (bytes: Uint8Array) => void
  /** The response is complete. `reusableMs`: how long its connection may be used again; 0 = not at all. */
  readonly onEnd: (reusableMs: number) => void
}

/** What a server sent and HTTP/1.1 does not allow. */
export class MalformedResponse extends Error {}

const mostHeadBytes = 64 * 1024
const mostLineBytes = 8 * 1024
/** So much less than the server announces: it may already be closing when the last moment has come. */
const closingMarginMs = 1_000
const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: ([^\0]*))?$/
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0]*?)[ \t]*$/
const headEnd = Buffer.from('\r\n\r\n')
const nothing = Buffer.alloc(0)

/** Reads one HTTP/1.1 response to a request that had a method other than HEAD (RFC 9112), at any chunk boundaries. */
export class ResponseParser {
  readonly #sink: ResponseSink
  #state: 'head' | 'fixed' | 'size' | 'chunk' | 'chunk-end' | 'trailers' | 'until-close' | 'done' = 'head'
  /** The beginning of a head or a line that is not complete yet. */
  #held: Buffer = nothing
  /** Bytes of the body, or of its present chunk, that are still to come. */
  #left = 0
  #trailerBytes = 0
  #reusableMs = 0

  constructor(sink: ResponseSink) {
    this.#sink = sink
  }

  /** Throws MalformedResponse, also for bytes behind the end; the parser must not be used afterwards. */
  push(part: Buffer): void {
    let bytes = this.#held.length === 0 ? part : Buffer.concat([this.#held, part])
    this.#held = nothing
    while (bytes.length > 0) {
      const used = this.#step(bytes)
      if (used === 0) {
        // Held bytes must not keep the whole buffer of the socket.
        this.#held = Buffer.from(bytes)
        return
      }
      bytes = bytes.subarray(used)
    }
  }

  /** The server has closed the connection. Throws MalformedResponse when something is missing. */
  close(): void {
    if (this.#state === 'until-close') this.#end(0)
    else if (this.#state !== 'done') throw new MalformedResponse('the response broke off')
  }

  /** Bytes taken; 0 when more are needed. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes)
      case 'fixed': {
        const used = this.#pass(bytes)
        if (this.#left === 0) this.#end(this.#reusableMs)
        return used
      }
      case 'chunk': {
        const used = this.#pass(bytes)
        if (this.#left === 0) this.#state = 'chunk-end'
        return used
      }
      case 'until-close':
        this.#sink.onBody(bytes)
        return bytes.length
      case 'done':
        throw new MalformedResponse('bytes behind the end of the response')
      default:
        return this.#readLine(bytes)
    }
  }

  #pass(bytes: Buffer): number {
    const used = Math.min(this.#left, bytes.length)
    this.#left -= used
    this.#sink.onBody(used === bytes.length ? bytes : bytes.subarray(0, used))
    return used
  }

  #end(reusableMs: number): void {
    this.#state = 'done'
    this.#sink.onEnd(reusableMs)
  }

  #readHead(bytes: Buffer): number {
    const end = bytes.indexOf(headEnd)
    if (end < 0 || end > mostHeadBytes) {
      if (bytes.length > mostHeadBytes) throw new MalformedResponse('the head is too long')
      return 0
    }
    const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
    const [, minor, code, reason = ''] = statusLine.exec(first) ?? []
    if (code === undefined) throw new MalformedResponse('no status line')
    const headers = lines.map((line) => {
      const [, name, value] = headerLine.exec(line) ?? []
      if (name === undefined || value === undefined || /[\r\n]/.test(value)) throw new MalformedResponse('a malformed header')
      return [name, value] as const
    })
    const status = Number(code)
    // "100 Continue" and its like go before the real head.
    if (status < 200) {
      if (status === 101) throw new MalformedResponse('an upgrade that nobody asked for')
      return end + headEnd.length
    }
    const framing = framingOf(headers)
    this.#reusableMs = minor === '1' && !framing.closes ? framing.keptMs : 0
    this.#sink.onHead({ status, reason, headers })
    if (status === 204 || status === 304 || framing.length === 0) this.#end(this.#reusableMs)
    else if (framing.length === 'chunked') this.#state = 'size'
    else if (framing.length === undefined) this.#state = 'until-close'
    else {
      this.#left = framing.length
      this.#state = 'fixed'
    }
    return end + headEnd.length
  }

  /** A line of the chunked coding: the size of a chunk, the empty line after one, a trailer. */
  #readLine(bytes: Buffer): number {
    const end = bytes.indexOf(0x0a)
    if (end < 0 || end > mostLineBytes) {
      if (bytes.length > mostLineBytes) throw new MalformedResponse('a line is too long')
      return 0
    }
    if (bytes[end - 1] !== 0x0d) throw new MalformedResponse('a line without its end')
    const line = bytes.toString('latin1', 0, end - 1)
    if (this.#state === 'size') {
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1]
      if (size === undefined) throw new MalformedResponse('no chunk size')
      this.#left = Number.parseInt(size, 16)
      this.#state = this.#left === 0 ? 'trailers' : 'chunk'
    } else if (this.#state === 'chunk-end') {
      if (line !== '') throw new MalformedResponse('a chunk is longer than announced')
      this.#state = 'size'
    } else if (line === '') this.#end(this.#reusableMs)
    else this.#skipTrailer(line)
    return end + 1
  }

  #skipTrailer(line: string): void {
    this.#trailerBytes += line.length
    if (this.#trailerBytes > mostHeadBytes) throw new MalformedResponse('the trailers are too long')
  }
}

interface Framing {
  /** undefined = up to the end of the connection */
  readonly length: number | 'chunked' | undefined
  readonly closes: boolean
  /** By the server's own word how long the connection stays open, ms. */
  readonly keptMs: number
}

/** How the body ends (RFC 9112 §6.3). Contradictions are refused: whoever reads them otherwise would see another body. */
function framingOf(headers: ResponseHead['headers']): Framing {
  let length: number | 'chunked' | undefined
  let closes = false
  let keptMs = Number.POSITIVE_INFINITY
  for (const [name, value] of headers) {
    switch (name.toLowerCase()) {
      case 'content-length': {
        const given = /^\d{1,15}$/.test(value) ? Number(value) : undefined
        if (given === undefined || (typeof length === 'number' && length !== given))
          throw new MalformedResponse('a malformed Content-Length')
        if (length === 'chunked') throw new MalformedResponse('Content-Length beside Transfer-Encoding')
        length = given
        break
      }
      case 'transfer-encoding':
        if (value.toLowerCase() !== 'chunked') throw new MalformedResponse('a Transfer-Encoding that nobody asked for')
        if (length !== undefined) throw new MalformedResponse('Transfer-Encoding beside Content-Length')
        length = 'chunked'
        break
      case 'connection':
        closes ||= /(^|,)[ \t]*close[ \t]*(,|$)/i.test(value)
        break
      case 'keep-alive': {
        const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1]
        if (seconds !== undefined) keptMs = Math.max(0, Number(seconds) * 1000 - closingMarginMs)
        break
      }
    }
  }
  return { length, closes, keptMs }
}
