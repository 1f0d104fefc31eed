import { HeldBytes } from '../http/held-bytes.ts'

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
const isDelimiter = (byte: number): boolean => isSpace(byte) || '{}[]",:'.includes(String.fromCharCode(byte))
const [quote, backslash, openBrace, openBracket, closeBrace, closeBracket] = [0x22, 0x5c, 0x7b, 0x5b, 0x7d, 0x5d]

/**
 * Cuts a stream of bytes into concatenated JSON values at any chunk boundaries, each byte looked at once. It only finds the ends: a value may
 * still turn out malformed when it is parsed. A bare number or word is complete when its delimiter has come.
 */
export class JsonSplitter {
  readonly #held = new HeldBytes()
  /** Scanner position in `held`; the value being scanned starts at `#start`, -1 between values. */
  #at = 0
  #start = -1
  #depth = 0
  #inString = false
  #escaped = false

  push(chunk: Uint8Array): void {
    this.#held.append(chunk)
  }

  /** The next complete value without the white space before it; undefined while there is none. It stays held until `drop()`. */
  next(): Uint8Array | undefined {
    const held = this.#held.bytes
    const end = this.#scan(held)
    return end === undefined ? undefined : held.subarray(this.#start, end)
  }

  /** Forgets the value that `next()` returned. */
  drop(): void {
    this.#held.drop(this.#at)
    this.#at = 0
    this.#start = -1
  }

  /** Everything not dropped yet, with white space. */
  rest(): Uint8Array {
    return this.#held.bytes
  }

  #scan(held: Uint8Array): number | undefined {
    for (; this.#at < held.length; this.#at++) {
      const byte = held[this.#at] ?? 0
      if (this.#start < 0) {
        if (isSpace(byte)) continue
        this.#start = this.#at
      } else if (!this.#inString && this.#depth === 0 && isDelimiter(byte)) return this.#at
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === backslash) this.#escaped = true
        else if (byte === quote) {
          this.#inString = false
          if (this.#depth === 0) return ++this.#at
        }
      } else if (byte === quote) this.#inString = true
      else if (byte === openBrace || byte === openBracket) this.#depth++
      else if (byte === closeBrace || byte === closeBracket) {
        this.#depth = Math.max(0, this.#depth - 1)
        if (this.#depth === 0) return ++this.#at
      }
    }
    return undefined
  }
}
