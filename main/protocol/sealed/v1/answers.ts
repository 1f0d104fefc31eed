import { SseSplitter, SseTooLongError, sseData } from '../../http/sse-splitter.ts'
import { JsonSplitter } from '../../requests/json-splitter.ts'
import { JsonTextError, type JsonValue, parseJson, writeJson } from '../../requests/json-text.ts'
import { type KeyPairing, openObject, sealObject } from './envelope.ts'
import { EnvelopeError } from './envelope-error.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const doneEvent = '[DONE]'
/** No honest value is longer. */
const mostValueBytes = 32 << 20

type Change = (value: JsonValue) => JsonValue

/** Passes an answer on with each of its JSON values changed. */
export interface AnswerChange {
  /** Bytes to pass on now. Throws `EnvelopeError`. */
  push(chunk: Uint8Array): Uint8Array
  /** What is left at the end. Throws `EnvelopeError` where that is more than white space. */
  finish(): Uint8Array
}

function changed(text: string, change: Change): string {
  try {
    return writeJson(change(parseJson(text)))
  } catch (thrown) {
    if (thrown instanceof JsonTextError) throw new EnvelopeError('a part of the answer is no JSON', { cause: thrown })
    throw thrown
  }
}

/** Server-sent events: the data of each but the last, `[DONE]`, is one value. */
class EventChange implements AnswerChange {
  readonly #splitter = new SseSplitter()
  readonly #change: Change
  readonly #needsEnd: boolean
  #hasEnded = false

  constructor(change: Change, needsEnd: boolean) {
    this.#change = change
    this.#needsEnd = needsEnd
  }

  push(chunk: Uint8Array): Uint8Array {
    try {
      return Buffer.concat(this.#splitter.push(chunk).map((event) => this.#event(event)))
    } catch (thrown) {
      if (thrown instanceof SseTooLongError) throw new EnvelopeError('an event is too long', { cause: thrown })
      throw thrown
    }
  }

  finish(): Uint8Array {
    const rest = this.#splitter.rest()
    const last = rest.length === 0 ? rest : this.#event(rest)
    if (this.#needsEnd && !this.#hasEnded) throw new EnvelopeError('the answer ends without its mark')
    return last
  }

  /** Comments and other fields say nothing that a program reads; they do not travel. */
  #event(event: Uint8Array): Uint8Array {
    const data = sseData(event)
    if (data === undefined || data.trim() === '') return new Uint8Array(0)
    const isEnd = data.trim() === doneEvent
    if (isEnd) this.#hasEnded = true
    return encoder.encode(`data: ${isEnd ? doneEvent : changed(data, this.#change)}\n\n`)
  }
}

/** Concatenated JSON values, one a line. */
class DocumentChange implements AnswerChange {
  readonly #splitter = new JsonSplitter()
  readonly #change: Change

  constructor(change: Change) {
    this.#change = change
  }

  push(chunk: Uint8Array): Uint8Array {
    this.#splitter.push(chunk)
    let out = ''
    for (let value = this.#splitter.next(); value !== undefined; value = this.#splitter.next()) {
      out += `${changed(textOf(value), this.#change)}\n`
      this.#splitter.drop()
    }
    if (this.#splitter.rest().length > mostValueBytes) throw new EnvelopeError('a value is too long')
    return encoder.encode(out)
  }

  finish(): Uint8Array {
    if (textOf(this.#splitter.rest()).trim() !== '') throw new EnvelopeError('the answer ends inside a value')
    return new Uint8Array(0)
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new EnvelopeError('a part of the answer is not UTF-8', { cause })
  }
}

const formOf = (contentType: string | undefined, change: Change, needsEnd = false): AnswerChange =>
  contentType?.toLowerCase().includes('text/event-stream') ? new EventChange(change, needsEnd) : new DocumentChange(change)

/** The worker's side (protocol 95 §4.5): each value with a nonce of its own. Values that are no objects have no place for the envelope. */
export function sealAnswer(contentType: string | undefined, keys: KeyPairing): AnswerChange {
  return formOf(contentType, (value) => {
    if (!(value instanceof Map)) throw new EnvelopeError('a value of the answer is no object')
    return sealObject(value, keys, 'w')
  })
}

/**
 * The client's side: what is not encrypted by the worker for this client ends the answer. Nothing binds values to their order, and nothing
 * marks the end but `[DONE]`, without which events are taken for cut off: a proxy could leave some out (protocol 95 §4.5).
 */
export function openAnswer(contentType: string | undefined, keys: KeyPairing): AnswerChange {
  const nonces = new Set<string>()
  const open: Change = (value) => {
    if (!(value instanceof Map)) throw new EnvelopeError('a value of the answer is no object')
    const nonce = String(value.get('encryption_nonce'))
    if (nonces.has(nonce)) throw new EnvelopeError('a value of the answer came twice')
    nonces.add(nonce)
    return openObject(value, keys, 'w')
  }
  return formOf(contentType, open, true)
}
