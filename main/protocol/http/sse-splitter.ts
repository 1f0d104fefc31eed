import { HeldBytes } from './held-bytes.ts'

const decoder = new TextDecoder()

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
    let at = this.#at
    let lineStart = this.#lineStart
    while (at < held.length) {
      const byte = held[at]
      if (byte !== 0x0a && byte !== 0x0d) {
        at++
        continue
      }
      // Whether CR stands alone is known only by the next byte.
      if (byte === 0x0d && at + 1 === held.length) break
      const isEmpty = at === lineStart
      at += byte === 0x0d && held[at + 1] === 0x0a ? 2 : 1
      lineStart = at
      if (!isEmpty) continue
      events.push(held.subarray(eventStart, at))
      eventStart = at
    }
    this.#held.drop(eventStart)
    this.#at = at - eventStart
    this.#lineStart = lineStart - eventStart
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
  const text = decoder.decode(event)
  // One line of data, as almost every event is.
  if (text.startsWith('data:') && text.indexOf('\n') === text.length - 2 && text.endsWith('\n\n') && !text.includes('\r'))
    return text.slice(text[5] === ' ' ? 6 : 5, -2)
  const lines = text.split(/\r\n|\r|\n/)
  const data: string[] = []
  for (const line of lines) {
    if (line === 'data') data.push('')
    else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
  }
  return data.length === 0 ? undefined : data.join('\n')
}
