/** A number as it was written, so that passing a document on changes neither `1.0` nor a count above 2^53. */
export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type JsonObject = Map<string, JsonValue>
export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | JsonObject

/** Nesting that a document may have; deeper ones are refused before they can exhaust the stack. */
const deepest = 200

/**
 * Values that a document may have, a field counting three times: more than any honest one, and few enough to be read and sorted in well below
 * a second.
 */
const mostValues = 1_000_000
const fieldValues = 3

/** What is wrong with a text that is not JSON. */
export class JsonTextError extends Error {}

const codes = {
  tab: 0x09,
  lineFeed: 0x0a,
  return: 0x0d,
  space: 0x20,
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  backslash: 0x5c,
} as const
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]
const literal = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

class Reader {
  readonly #text: string
  #at = 0
  #values = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): JsonValue {
    const value = this.#value(0)
    this.#space()
    if (this.#at !== this.#text.length) throw new JsonTextError(`unexpected text at ${this.#at}`)
    return value
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      // Nothing above a space is white, and the end of the text is no number.
      if (!(code <= codes.space)) return
      if (code !== codes.space && code !== codes.lineFeed && code !== codes.return && code !== codes.tab) return
      this.#at++
    }
  }

  #value(depth: number): JsonValue {
    if (depth > deepest) throw new JsonTextError('nested too deeply')
    if (++this.#values > mostValues) throw new JsonTextError('too many values')
    this.#space()
    switch (this.#text.charCodeAt(this.#at)) {
      case openBrace:
        return this.#object(depth)
      case openBracket:
        return this.#array(depth)
      case codes.quote:
        return this.#string()
      default:
        return this.#literal()
    }
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = new Map()
    this.#at++
    this.#space()
    if (this.#take(closeBrace)) return object
    for (;;) {
      this.#space()
      if (this.#text.charCodeAt(this.#at) !== codes.quote) throw new JsonTextError(`expected a key at ${this.#at}`)
      const key = this.#string()
      this.#space()
      if (!this.#take(codes.colon)) throw new JsonTextError(`expected a colon at ${this.#at}`)
      this.#values += fieldValues - 1
      // Of several equal keys the last one counts (vectors, request_validation).
      object.set(key, this.#value(depth + 1))
      this.#space()
      if (this.#take(closeBrace)) return object
      if (!this.#take(codes.comma)) throw new JsonTextError(`expected a comma at ${this.#at}`)
    }
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = []
    this.#at++
    this.#space()
    if (this.#take(closeBracket)) return array
    for (;;) {
      array.push(this.#value(depth + 1))
      this.#space()
      if (this.#take(closeBracket)) return array
      if (!this.#take(codes.comma)) throw new JsonTextError(`expected a comma at ${this.#at}`)
    }
  }

  #string(): string {
    const text = this.#text
    const start = this.#at + 1
    let at = start
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === codes.quote) {
        this.#at = at + 1
        return text.slice(start, at)
      }
      // Escapes, line breaks inside a string, and the end of the text are the business of the strict parser.
      if (code === codes.backslash || !(code >= codes.space)) return this.#escapedString()
      at++
    }
  }

  #escapedString(): string {
    const start = this.#at++
    for (;;) {
      const code = this.#text.charCodeAt(this.#at++)
      if (Number.isNaN(code)) throw new JsonTextError('unfinished string')
      if (code === codes.backslash) this.#at++
      if (code === codes.quote) break
    }
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch (cause) {
      throw new JsonTextError(`malformed string at ${start}`, { cause })
    }
  }

  #literal(): JsonValue {
    literal.lastIndex = this.#at
    const text = literal.exec(this.#text)?.[0]
    if (text === undefined) throw new JsonTextError(`unexpected text at ${this.#at}`)
    this.#at += text.length
    if (text === 'null') return null
    if (text === 'true' || text === 'false') return text === 'true'
    return new JsonNumber(text)
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }
}

/** Parses one JSON document, keeping numbers as written. Throws JsonTextError. */
export function parseJson(text: string): JsonValue {
  return new Reader(text).document()
}

/** Serializes without spaces and with keys in code point order, as Cocoon nodes do (protocol 30 §7.1). */
export function writeJson(value: JsonValue): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return writeString(value)
  if (value instanceof JsonNumber) return value.text
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`
  let text = ''
  for (const key of [...value.keys()].sort())
    text += `${text === '' ? '{' : ','}${writeString(key)}:${writeJson(value.get(key) ?? null)}`
  return text === '' ? '{}' : `${text}}`
}

/** Most strings need no escapes; lone surrogates and everything else go the standard way. */
const plainString = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

function writeString(text: string): string {
  return plainString.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** The value as a count, if it was written as an unsigned integer that a double holds exactly. */
export function countOf(value: JsonValue | undefined): number | undefined {
  if (!(value instanceof JsonNumber) || !/^\d+$/.test(value.text)) return undefined
  const count = Number(value.text)
  return Number.isSafeInteger(count) ? count : undefined
}
