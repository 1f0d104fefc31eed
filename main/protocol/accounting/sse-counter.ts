import { SseSplitter, sseData } from '../http/sse-splitter.ts'
import { JsonTextError, type JsonValue, parseJson, writeJson } from '../requests/json-text.ts'
import type { UsageMeter } from './usage-meter.ts'

const encoder = new TextEncoder()

const hasText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null

/** Whether a chunk carries generated text: one such event is taken for one token where nobody counts better. */
function carriesText(value: unknown): boolean {
  if (!isObject(value) || !Array.isArray(value.choices)) return false
  return value.choices.some((choice: unknown) => {
    if (!isObject(choice)) return false
    if (hasText(choice.text)) return true
    return isObject(choice.delta) && (hasText(choice.delta.content) || hasText(choice.delta.reasoning_content))
  })
}

/** An event without these letters states no usage: none at all, or none but null. A name may be written with escapes of its letters. */
const mayStateUsage = /"usage"\s*:(?!\s*null\b)|\\u00[67]/i

/**
 * Answer body of server-sent events: each event is counted and passed on at once (protocol 40 §6 last paragraph, 95 §5). Events whose usage
 * grew are re-serialized with their costs, all others pass byte for byte.
 */
export class SseCounter {
  readonly #meter: UsageMeter
  readonly #splitter = new SseSplitter()
  #textEvents = 0

  constructor(meter: UsageMeter) {
    this.#meter = meter
  }

  /** Events that carried generated text so far. */
  get textEvents(): number {
    return this.#textEvents
  }

  /** Events completed by this chunk, ready to be passed on, one after the other. Throws SseTooLongError. */
  push(chunk: Uint8Array): Uint8Array[] {
    return this.#splitter.push(chunk).map((event) => this.#count(event))
  }

  /** What is left after the last event. It is counted too: a stream may end without its last empty line. */
  finish(): Uint8Array {
    const rest = this.#splitter.rest()
    return rest.length === 0 ? rest : this.#count(rest)
  }

  #count(event: Uint8Array): Uint8Array {
    const data = sseData(event)
    if (data === undefined || data === '[DONE]') return event
    let plain: unknown
    try {
      plain = JSON.parse(data)
    } catch {
      // Not JSON: passed on as it is.
      return event
    }
    if (carriesText(plain)) this.#textEvents++
    return mayStateUsage.test(data) ? this.#countUsage(event, data) : event
  }

  #countUsage(event: Uint8Array, data: string): Uint8Array {
    let value: JsonValue
    try {
      value = parseJson(data)
    } catch (thrown) {
      if (thrown instanceof JsonTextError) return event
      throw thrown
    }
    return this.#meter.read(value) ? encoder.encode(`data: ${writeJson(value)}\n\n`) : event
  }
}
