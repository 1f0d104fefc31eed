import { HeldBytes } from './held-bytes.ts'

/** A server-sent event that grew beyond the limit: the stream is no usable event stream. */
export class SseTooLongError extends Error {}

/**
 * Splits a stream of bytes into server-sent events, at any chunk boundaries. An event is everything up to and including the empty line
 * after it; line ends are LF, CRLF or CR. Nothing is lost: the concatenation of all events and `rest()` is the input.
 */
export class SseSplitter {
  readonly #mostBytes: number
  readonly #held = new HeldBytes()
  #at = 0
  #lineStart = 0

  constructor(mostBytes = 1 << 20) {
    this.#mostBytes = mostBytes
  }

  /** Events completed by this chunk. Throws SseTooLongError. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#held.append(chunk)
    const held = this.#held.bytes
    const events: Uint8Array[] = []
    let eventStart = 0
    while (this.#at < held.length) {
      const byte = held[this.#at]
      if (byte !== 0x0a && byte !== 0x0d) {
        this.#at++
        continue
      }
      // Whether CR stands alone is known only by the next byte.
      if (byte === 0x0d && this.#at + 1 === held.length) break
      const isEmpty = this.#at === this.#lineStart
      this.#at += byte === 0x0d && held[this.#at + 1] === 0x0a ? 2 : 1
      this.#lineStart = this.#at
      if (!isEmpty) continue
      events.push(held.subarray(eventStart, this.#at))
      eventStart = this.#at
    }
    this.#held.drop(eventStart)
    this.#at -= eventStart
    this.#lineStart -= eventStart
    if (this.#held.length > this.#mostBytes) throw new SseTooLongError('a server-sent event is too long')
    return events
  }

  /** Bytes after the last complete event. */
  rest(): Uint8Array {
    return this.#held.bytes
  }
}

/** The `data` of one event: its data lines joined by newlines; undefined when it has none (a comment, an empty event). */
export function sseData(event: Uint8Array): string | undefined {
  const lines = new TextDecoder().decode(event).split(/\r\n|\r|\n/)
  const data: string[] = []
  for (const line of lines) {
    if (line === 'data') data.push('')
    else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
  }
  return data.length === 0 ? undefined : data.join('\n')
}
