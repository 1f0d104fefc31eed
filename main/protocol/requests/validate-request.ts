import { Failure } from '../../base/failure.ts'
import { type JsonObject, JsonTextError, parseJson, writeJson } from './json-text.ts'
import { type Revision, requestTables } from './request-tables.ts'

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

const invalid = (message: string): Failure<'invalid-request'> =>
  new Failure('invalid-request', message, { advice: 'Change the request and send it again.' })

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
 * Checks a request as a worker of that revision does and rewrites it for the engine (protocol 40 §5, 95 §5): a stream always reports usage.
 * `stream_options` makes a request a stream, in the newest revision they only accompany one; there both limits of an answer become the same.
 * `path` is the bare path, `body` the JSON text or what was parsed of it (changed then). Throws `Failure<'invalid-request'>` whose message is the text
 * that goes on the wire with code 621. A client uses the same tables to refuse before anything is sent.
 */
export function validateRequest(path: string, body: string | JsonObject, revision: Revision = 'either'): ValidRequest {
  const table = requestTables[revision].get(path)
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
  if (revision === 'newest') {
    if (value.get('stream') !== true) value.delete('stream_options')
    if (table.kind === 'chat') evenLimits(value)
  } else if (options !== undefined) value.set('stream', true)
  const stream = value.get('stream') === true
  if (stream) value.set('stream_options', new Map(options instanceof Map ? options : []).set('include_usage', true))
  return { kind: table.kind, model: modelOf(value), stream, body: writeJson(value), value }
}

/** Engines know one name of the limit or the other; `max_completion_tokens` wins. */
function evenLimits(value: JsonObject): void {
  const limit = value.get('max_completion_tokens') ?? value.get('max_tokens')
  if (limit !== undefined) value.set('max_completion_tokens', limit).set('max_tokens', limit)
}

function modelOf(value: JsonObject): string {
  const model = value.get('model')
  if (typeof model !== 'string') throw invalid('model must be a string')
  return model
}

/**
 * A request whose texts are encrypted (protocol 95 §4.2): only its model can be read. Throws `Failure<'invalid-request'>`.
 */
export function readSealed(path: string, body: string | JsonObject): Pick<ValidRequest, 'model' | 'body'> {
  if (!requestTables.newest.has(path)) throw invalid('unsupported method')
  const value = objectOf(body)
  return { model: modelOf(value), body: typeof body === 'string' ? body : writeJson(body) }
}
