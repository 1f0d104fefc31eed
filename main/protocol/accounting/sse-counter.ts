import { SseSplitter, sseData } from '../http/sse-splitter.ts'
import { JsonTextError, type JsonValue, parseJson, writeJson } from '../requests/json-text.ts'
import type { UsageMeter } from './usage-meter.ts'

const encoder = new TextEncoder()

const hasText = (value: JsonValue | undefined): boolean => typeof value === 'string' && value !== ''

/** Whether a chunk carries generated text: one such event is taken for one token where nobody counts better. */
function carriesText(value: JsonValue): boolean {
  if (!(value instanceof Map)) return false
  const choices = value.get('choices')
  if (!Array.isArray(choices)) return false
  return choices.some((choice) => {
    if (!(choice instanceof Map)) return false
    if (hasText(choice.get('text'))) return true
    const delta = choice.get('delta')
    return delta instanceof Map && (hasText(delta.get('content')) || hasText(delta.get('reasoning_content')))
  })
}

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
    let value: JsonValue
    try {
      value = parseJson(data)
    } catch (thrown) {
      if (thrown instanceof JsonTextError) return event
      throw thrown
    }
    if (carriesText(value)) this.#textEvents++
    return this.#meter.read(value) ? encoder.encode(`data: ${writeJson(value)}\n\n`) : event
  }
}
