import { Failure } from '../../base/failure.ts'
import { JsonNumber, type JsonObject, JsonTextError, type JsonValue, parseJson, writeJson } from './json-text.ts'

/** A request that a worker may run: the text to hand to the engine, and what it asked for. */
export interface ValidRequest {
  readonly kind: 'chat' | 'completion'
  readonly model: string
  /** True when the answer comes as server-sent events. */
  readonly stream: boolean
  /** Re-serialized with sorted keys, with `stream_options.include_usage` set for streams. */
  readonly body: string
  readonly value: JsonObject
}

type Rule = (name: string, value: JsonValue) => string | undefined

const invalid = (message: string): Failure<'invalid-request'> =>
  new Failure('invalid-request', message, { advice: 'Change the request and send it again.' })

const isInteger = (value: JsonValue): value is JsonNumber => value instanceof JsonNumber && /^-?\d+$/.test(value.text)

const any: Rule = () => undefined
const boolean: Rule = (name, value) => (typeof value === 'boolean' ? undefined : `${name} must be a boolean`)
const string: Rule = (name, value) => (typeof value === 'string' ? undefined : `${name} must be a string`)
const number: Rule = (name, value) => (value instanceof JsonNumber ? undefined : `${name} must be a number`)
const array: Rule = (name, value) => (Array.isArray(value) ? undefined : `${name} must be an array`)
const stringOrArray: Rule = (name, value) =>
  Array.isArray(value) || typeof value === 'string' ? undefined : `${name} must be an array or a string`
const unsigned: Rule = (name, value) => {
  if (!isInteger(value)) return `${name} must be a number`
  return value.text.startsWith('-') && value.text !== '-0' ? `${name} must be non-negative` : undefined
}
const positive: Rule = (name, value) => {
  if (!isInteger(value)) return `${name} must be a number`
  // Judged by its text: to compute a number of a million digits takes seconds.
  return value.text.startsWith('-') || !/[1-9]/.test(value.text) ? `${name} must be positive` : undefined
}
const penalty: Rule = (name, value) => {
  if (!(value instanceof JsonNumber)) return `${name} must be a number`
  return Math.abs(Number(value.text)) <= 2 ? undefined : `${name} must be between -2.0 and 2.0`
}
/** Both limits of a chat request are reported under one name (vectors, request_validation). */
const completionLimit: Rule = (_name, value) => unsigned('max_completion_tokens', value)

const booleans =
  (where: string, allowed: readonly string[], unknown: (key: string) => string): Rule =>
  (name, value) => {
    if (!(value instanceof Map)) return `${name} must be an object`
    for (const [key, item] of value) {
      if (!allowed.includes(key)) return unknown(key)
      const wrong = boolean(`${where}.${key}`, item)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

const streamOptions = booleans(
  'stream_options',
  ['include_obfuscation', 'include_usage'],
  (key) => `unknown option '${key}' in stream_options`,
)
const templateOptions = booleans(
  'chat_template_kwargs',
  ['enable_thinking'],
  (key) => `unknown suboption '${key}' in chat_template_kwargs in request`,
)

interface Table {
  readonly kind: ValidRequest['kind']
  readonly required: readonly string[]
  readonly fields: Readonly<Record<string, Rule>>
}

/** Fields that a worker of this network generation accepts; an unknown one is an error (protocol 40 §5). */
const tables: ReadonlyMap<string, Table> = new Map([
  [
    '/v1/chat/completions',
    {
      kind: 'chat',
      required: ['messages', 'model'],
      fields: {
        messages: array,
        model: string,
        frequency_penalty: penalty,
        presence_penalty: number,
        max_tokens: completionLimit,
        max_completion_tokens: completionLimit,
        n: positive,
        parallel_tool_calls: boolean,
        prediction: number,
        reasoning_effort: string,
        verbosity: string,
        response_format: any,
        stop: stringOrArray,
        stream: boolean,
        stream_options: streamOptions,
        temperature: number,
        top_p: number,
        top_logprobs: unsigned,
        chat_template_kwargs: templateOptions,
      },
    },
  ],
  [
    '/v1/completions',
    {
      kind: 'completion',
      required: ['model', 'prompt'],
      fields: {
        model: string,
        prompt: stringOrArray,
        best_of: positive,
        echo: boolean,
        frequency_penalty: penalty,
        max_tokens: unsigned,
        n: positive,
        presence_penalty: number,
        seed: number,
        stop: stringOrArray,
        stream: boolean,
        stream_options: streamOptions,
        suffix: boolean,
        temperature: number,
        top_p: number,
        skip_special_tokens: boolean,
      },
    },
  ],
])

function objectOf(body: string | JsonObject): JsonObject {
  if (typeof body !== 'string') return body
  try {
    const value = parseJson(body)
    if (value instanceof Map) return value
  } catch (thrown) {
    if (!(thrown instanceof JsonTextError)) throw thrown
  }
  throw invalid('expected json object')
}

/**
 * Checks a request as a worker does and rewrites it for the engine (protocol 40 §5): `stream_options` implies `stream`, and a stream
 * always reports usage. `path` is the bare path, `body` the JSON text or what was parsed of it (changed then). Throws `Failure<'invalid-request'>` whose message is the text
 * that goes on the wire with code 621. A client uses the same table to refuse before anything is sent.
 */
export function validateRequest(path: string, body: string | JsonObject): ValidRequest {
  const table = tables.get(path)
  if (table === undefined) throw invalid('unsupported method')
  const value = objectOf(body)
  for (const [name, item] of [...value].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const rule = Object.hasOwn(table.fields, name) ? table.fields[name] : undefined
    if (rule === undefined) throw invalid(`unknown option '${name}' in request`)
    const wrong = rule(name, item)
    if (wrong !== undefined) throw invalid(wrong)
  }
  for (const name of table.required) if (!value.has(name)) throw invalid(`missing required field '${name}'`)

  const options = value.get('stream_options')
  if (options !== undefined) value.set('stream', true)
  const stream = value.get('stream') === true
  if (stream) value.set('stream_options', new Map(options instanceof Map ? options : []).set('include_usage', true))
  const model = value.get('model')
  if (typeof model !== 'string') throw invalid('model must be a string')
  return { kind: table.kind, model, stream, body: writeJson(value), value }
}
