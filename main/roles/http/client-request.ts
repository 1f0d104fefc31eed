import { Failure } from '../../base/failure.ts'
import { JsonNumber, type JsonObject, JsonTextError, type JsonValue, parseJson } from '../../protocol/requests/json-text.ts'
import { readKeyText } from '../../protocol/sealed/v1/envelope.ts'
import { EnvelopeError } from '../../protocol/sealed/v1/envelope-error.ts'

/** What a program asked the client for, with the options taken out of its body that only the client understands (protocol 30 §7.1). */
export interface ClientRequest {
  readonly model: string
  /** OpenAI request object. */
  readonly body: JsonObject
  readonly maxTokens: number
  /** Thousandths. */
  readonly maxCoefficient: number
  readonly timeoutMs: number
  readonly enableDebug: boolean
  /** By which the program asks for the debug entry later. */
  readonly guid: string | undefined
  /** The program's `prompt_cache_key`; see `ChatRequest.conversation`. */
  readonly conversation?: string
  /** Of an encrypted request: the key that it is encrypted for (protocol 95 §4.1). */
  readonly publicKey: Uint8Array | undefined
}

/** What recorded clients reserve when the request names no limit of its own; it is not added to the body. */
const recordedMaxTokens = 1000
const usualMaxCoefficient = 4000
const usualTimeoutSeconds = 120
const mostInt = 0x7fff_ffff

const refuse = (why: string): Failure<'invalid-request'> => new Failure('invalid-request', `failed to parse request: ${why}`)

/**
 * @param usualLimit the limit of an answer whose request names none, by the price limit (thousandths) and the bytes of the request: it is reserved
 * and written into the body, as newer clients do (protocol 95 §5). Without it as recorded clients do.
 * @throws Failure `invalid-request` in the words of the network's clients
 */
export function readClientRequest(
  body: Uint8Array,
  usualLimit?: (maxCoefficient: number, bytes: number) => number,
): ClientRequest {
  const value = objectOf(body)
  const { model, ...options } = readClientOptions(value, body.length, usualLimit)
  if (value.has('max_completion_tokens')) value.delete('max_tokens')
  else if (usualLimit !== undefined && !value.has('max_tokens'))
    value.set('max_tokens', new JsonNumber(String(options.maxTokens)))
  for (const own of ['max_coefficient', 'timeout', 'enable_debug', 'request_guid']) value.delete(own)
  const conversation = value.get('prompt_cache_key')
  if (typeof conversation !== 'string') return { model, body: value, ...options }
  // Workers are told a hash of it, another one each, and only inside a seal.
  value.delete('prompt_cache_key')
  return { model, body: value, ...options, conversation }
}

/** The options of a request, of a JSON body or of a form. Nothing is taken out. @throws Failure `invalid-request` */
export function readClientOptions(
  value: JsonObject,
  bytes: number,
  usualLimit?: (maxCoefficient: number, bytes: number) => number,
): Omit<ClientRequest, 'body'> {
  const model = value.get('model')
  if (model === undefined) throw refuse("missing field 'model'")
  if (typeof model !== 'string') throw refuse("field 'model' must be string")
  const plainLimit = wholeNumber(value, 'max_tokens')
  const limit = wholeNumber(value, 'max_completion_tokens') ?? plainLimit
  const maxCoefficient = wholeNumber(value, 'max_coefficient') ?? usualMaxCoefficient
  const timeoutMs = seconds(value) * 1000
  const enableDebug = value.get('enable_debug')
  if (enableDebug !== undefined && typeof enableDebug !== 'boolean') throw refuse("field 'enable_debug' must be boolean")
  const guid = value.get('request_guid')
  if (guid !== undefined && typeof guid !== 'string') throw refuse("field 'request_guid' must be string")
  const publicKey = value.has('is_encrypted') ? receiverKey(value.get('receiver_public_key')) : undefined
  const maxTokens = limit ?? usualLimit?.(maxCoefficient, bytes) ?? recordedMaxTokens
  return { model, maxTokens, maxCoefficient, timeoutMs, enableDebug: enableDebug === true, guid, publicKey }
}

function receiverKey(given: JsonValue | undefined): Uint8Array {
  try {
    return readKeyText(given)
  } catch (thrown) {
    if (!(thrown instanceof EnvelopeError)) throw thrown
    throw refuse("field 'receiver_public_key' must be a public key")
  }
}

function objectOf(body: Uint8Array): JsonObject {
  try {
    const value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body))
    if (value instanceof Map) return value
  } catch (thrown) {
    // A TypeError is the decoder's word for text that is not UTF-8.
    if (!(thrown instanceof JsonTextError || thrown instanceof TypeError)) throw thrown
  }
  throw refuse('expected json object')
}

function wholeNumber(value: JsonObject, name: string): number | undefined {
  const given = value.get(name)
  if (given === undefined) return undefined
  const number = given instanceof JsonNumber && /^\d+$/.test(given.text) ? Number(given.text) : Number.NaN
  if (!(number <= mostInt)) throw refuse(`field '${name}' must be positive integer`)
  return number
}

function seconds(value: JsonObject): number {
  const given = value.get('timeout')
  if (given === undefined) return usualTimeoutSeconds
  const number = given instanceof JsonNumber ? Number(given.text) : Number.NaN
  if (!(number > 0 && Number.isFinite(number))) throw refuse("field 'timeout' must be positive number")
  return number
}
