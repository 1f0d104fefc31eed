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

/** What is wrong with a text that is not JSON. */
export class JsonTextError extends Error {}

class Reader {
  readonly #text: string
  #at = 0

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
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'x')) this.#at++
  }

  #value(depth: number): JsonValue {
    if (depth > deepest) throw new JsonTextError('nested too deeply')
    this.#space()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    return this.#literal()
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = new Map()
    this.#at++
    this.#space()
    if (this.#take('}')) return object
    for (;;) {
      this.#space()
      if (this.#text[this.#at] !== '"') throw new JsonTextError(`expected a key at ${this.#at}`)
      const key = this.#string()
      this.#space()
      if (!this.#take(':')) throw new JsonTextError(`expected a colon at ${this.#at}`)
      // Of several equal keys the last one counts (vectors, request_validation).
      object.set(key, this.#value(depth + 1))
      this.#space()
      if (this.#take('}')) return object
      if (!this.#take(',')) throw new JsonTextError(`expected a comma at ${this.#at}`)
    }
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = []
    this.#at++
    this.#space()
    if (this.#take(']')) return array
    for (;;) {
      array.push(this.#value(depth + 1))
      this.#space()
      if (this.#take(']')) return array
      if (!this.#take(',')) throw new JsonTextError(`expected a comma at ${this.#at}`)
    }
  }

  #string(): string {
    const start = this.#at++
    for (;;) {
      const character = this.#text[this.#at++]
      if (character === undefined) throw new JsonTextError('unfinished string')
      if (character === '\\') this.#at++
      if (character === '"') break
    }
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch (cause) {
      throw new JsonTextError(`malformed string at ${start}`, { cause })
    }
  }

  #literal(): JsonValue {
    const pattern = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
    pattern.lastIndex = this.#at
    const text = pattern.exec(this.#text)?.[0]
    if (text === undefined) throw new JsonTextError(`unexpected text at ${this.#at}`)
    this.#at += text.length
    if (text === 'null') return null
    if (text === 'true' || text === 'false') return text === 'true'
    return new JsonNumber(text)
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
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
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof JsonNumber) return value.text
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`
  const keys = [...value.keys()].sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${writeJson(value.get(key) ?? null)}`).join(',')}}`
}

/** The value as a count, if it was written as an unsigned integer that a double holds exactly. */
export function countOf(value: JsonValue | undefined): number | undefined {
  if (!(value instanceof JsonNumber) || !/^\d+$/.test(value.text)) return undefined
  const count = Number(value.text)
  return Number.isSafeInteger(count) ? count : undefined
}
