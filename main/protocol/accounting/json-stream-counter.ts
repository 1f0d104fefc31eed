import { JsonSplitter } from '../requests/json-splitter.ts'
import { JsonTextError, parseJson, writeJson } from '../requests/json-text.ts'
import type { UsageMeter } from './usage-meter.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Text that is not JSON is held back until the end, as the network's nodes do; above this it is passed on at once. */
const mostHeldBytes = 1 << 20
/** A value that has not ended by then is passed on as it comes, and not counted. */
const mostValueBytes = 32 << 20

/**
 * Answer body of concatenated JSON values (one document, or newline-delimited ones): each value is counted and passed on re-serialized with
 * a newline, bytes that are no JSON are passed on at the end (protocol 40 §6 steps 1 to 5).
 */
export class JsonStreamCounter {
  readonly #meter: UsageMeter
  #splitter = new JsonSplitter()
  #notJson = false

  constructor(meter: UsageMeter) {
    this.#meter = meter
  }

  /** Bytes to pass on now; may be empty. */
  push(chunk: Uint8Array): Uint8Array {
    this.#splitter.push(chunk)
    let out = ''
    for (let value = this.#next(); value !== undefined; value = this.#next()) {
      out += value
      this.#splitter.drop()
    }
    const held = this.#splitter.rest().length
    if (held > mostValueBytes) this.#notJson = true
    if (!this.#notJson || held <= mostHeldBytes) return encoder.encode(out)
    return Buffer.concat([encoder.encode(out), this.finish()])
  }

  /** What is left at the end of the body, as it came. */
  finish(): Uint8Array {
    const rest = this.#splitter.rest()
    this.#splitter = new JsonSplitter()
    return rest
  }

  #next(): string | undefined {
    if (this.#notJson) return undefined
    const bytes = this.#splitter.next()
    if (bytes === undefined) return undefined
    try {
      const value = parseJson(decoder.decode(bytes))
      this.#meter.read(value)
      return `${writeJson(value)}\n`
    } catch (thrown) {
      // A TypeError is the decoder's word for text that is not UTF-8.
      if (!(thrown instanceof JsonTextError || thrown instanceof TypeError)) throw thrown
      this.#notJson = true
      return undefined
    }
  }
}
