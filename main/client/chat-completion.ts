import { Failure } from '../base/failure.ts'
import { inSlices } from '../protocol/http/slices.ts'
import { SseSplitter, SseTooLongError, sseData } from '../protocol/http/sse-splitter.ts'
import { JsonSplitter } from '../protocol/requests/json-splitter.ts'
import { countOf, JsonTextError, type JsonValue, parseJson } from '../protocol/requests/json-text.ts'

export type ChatEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'finish'; readonly reason: string }
  /** Counts by the engine, and the cost in nanoton by the worker's idea of the price; the charge itself is in the final info. */
  | {
      readonly type: 'usage'
      readonly promptTokens: number
      readonly cachedTokens: number
      readonly completionTokens: number
      readonly reasoningTokens: number
      readonly totalCost?: bigint
    }

const malformed = (cause?: unknown): Failure<'answer-malformed'> =>
  new Failure('answer-malformed', 'The answer is not a chat completion.', {
    advice: 'Try again, or choose another model.',
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  })

const field = (value: JsonValue | undefined, name: string): JsonValue | undefined =>
  value instanceof Map ? value.get(name) : undefined
const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '')

/** Events of one JSON value of the answer: a stream chunk or a whole completion. */
function* eventsOf(value: JsonValue): Generator<ChatEvent> {
  const error = field(value, 'error')
  if (error !== undefined && error !== null) {
    const message = typeof error === 'string' ? error : textOf(field(error, 'message'))
    throw new Failure('engine-refused', `The engine refused the request: ${message.slice(0, 300)}`, {
      advice: 'Change the request, or choose another model.',
      values: { said: message.slice(0, 300) },
    })
  }
  const choices = field(value, 'choices')
  const first = Array.isArray(choices) ? choices[0] : undefined
  const message = field(first, 'delta') ?? field(first, 'message')
  const reasoning = textOf(field(message, 'reasoning_content'))
  if (reasoning !== '') yield { type: 'reasoning', text: reasoning }
  const text = textOf(field(message, 'content')) || textOf(field(first, 'text'))
  if (text !== '') yield { type: 'text', text }
  const reason = textOf(field(first, 'finish_reason'))
  if (reason !== '') yield { type: 'finish', reason }
  const usage = field(value, 'usage')
  if (!(usage instanceof Map)) return
  const cost = countOf(usage.get('total_cost'))
  yield {
    type: 'usage',
    promptTokens: countOf(usage.get('prompt_tokens')) ?? 0,
    cachedTokens: countOf(field(usage.get('prompt_tokens_details'), 'cached_tokens')) ?? 0,
    completionTokens: countOf(usage.get('completion_tokens')) ?? 0,
    reasoningTokens:
      countOf(field(usage.get('completion_tokens_details'), 'reasoning_tokens')) ?? countOf(usage.get('reasoning_tokens')) ?? 0,
    ...(cost === undefined ? {} : { totalCost: BigInt(cost) }),
  }
}

const decoder = new TextDecoder()
/** No honest JSON value is longer, and no honest answer begins with so much white space: a hostile one must not fill the memory. */
const mostHeldBytes = 8 << 20
const mostBlankBytes = 64 << 10

function parsed(text: string): JsonValue {
  try {
    return parseJson(text)
  } catch (cause) {
    if (cause instanceof JsonTextError) throw malformed(cause)
    throw cause
  }
}

interface Form {
  push(chunk: Uint8Array): ChatEvent[]
  finish(): ChatEvent[]
}

class EventStreamForm implements Form {
  readonly #splitter = new SseSplitter()

  push(chunk: Uint8Array): ChatEvent[] {
    let events: Uint8Array[]
    try {
      events = this.#splitter.push(chunk)
    } catch (cause) {
      if (cause instanceof SseTooLongError) throw malformed(cause)
      throw cause
    }
    return events.flatMap(eventsOfSse)
  }

  finish(): ChatEvent[] {
    return eventsOfSse(this.#splitter.rest())
  }
}

function eventsOfSse(event: Uint8Array): ChatEvent[] {
  const data = sseData(event)?.trim()
  return data === undefined || data === '[DONE]' || data === '' ? [] : [...eventsOf(parsed(data))]
}

class JsonForm implements Form {
  readonly #splitter = new JsonSplitter()

  push(chunk: Uint8Array): ChatEvent[] {
    const events: ChatEvent[] = []
    this.#splitter.push(chunk)
    for (let value = this.#splitter.next(); value !== undefined; value = this.#splitter.next()) {
      events.push(...eventsOf(parsed(decoder.decode(value))))
      this.#splitter.drop()
    }
    if (this.#splitter.rest().length > mostHeldBytes) throw malformed()
    return events
  }

  finish(): ChatEvent[] {
    if (decoder.decode(this.#splitter.rest()).trim() !== '') throw malformed()
    return []
  }
}

/** The form shows in the first byte that is not white space: JSON values open with a brace, everything else is an event stream. */
function formOf(seen: Uint8Array): Form | undefined {
  const first = seen.find((byte) => byte > 0x20)
  if (first === undefined) return undefined
  return first === 0x7b || first === 0x5b ? new JsonForm() : new EventStreamForm()
}

/**
 * Text and usage of a chat completion, in whatever form the body comes: server-sent events in pieces or in one big part, one JSON
 * document, or newline-delimited ones (protocol 30 §7.4). Chunks may be cut anywhere, also inside a character.
 * Throws `Failure` with `answer-malformed` or `engine-refused`, and whatever the body throws.
 */
export async function* readChatCompletion(body: AsyncIterable<Uint8Array>): AsyncGenerator<ChatEvent> {
  let form: Form | undefined
  let before: Uint8Array = new Uint8Array(0)
  for await (const chunk of inSlices(body)) {
    if (form === undefined) {
      before = Buffer.concat([before, chunk])
      form = formOf(before)
      if (form !== undefined) yield* form.push(before)
      else if (before.length > mostBlankBytes) throw malformed()
    } else yield* form.push(chunk)
  }
  if (form !== undefined) yield* form.finish()
}
