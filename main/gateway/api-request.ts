import { isObject } from '../base/is-object.ts'
import { ApiRefusal } from './refusal.ts'

export type Endpoint = 'chat' | 'completions' | 'embeddings'

export const endpointPaths: Readonly<Record<Endpoint, string>> = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  embeddings: '/v1/embeddings',
}

/** A request whose outline is known: what every back end needs of it. */
export interface ApiRequest {
  readonly endpoint: Endpoint
  /** As the caller named it. */
  readonly model: string
  /** The whole object, without the fields that are null: OpenAI's API takes null as absent. */
  readonly body: Readonly<Record<string, unknown>>
  readonly stream: boolean
  /** Whether the caller wants the usage in the stream. */
  readonly includeUsage: boolean
  /** Limit of one answer, in tokens; undefined where the caller set none and there is no usual one. */
  readonly mostTokens: number | undefined
  /** How many answers are generated at most for each prompt (`n`, `best_of`). */
  readonly answers: number
}

/** Of `/v1/completions` alone, in OpenAI's reference: an answer there has no turn that would end it. */
const usualCompletionTokens = 16
/** Deeper ones are no honest request, and would exhaust the stack of whoever walks through them. */
const deepest = 100
const decoder = new TextDecoder('utf-8', { fatal: true })

/** @throws ApiRefusal with the field that is wrong */
export function readApiRequest(endpoint: Endpoint, bytes: Uint8Array): ApiRequest {
  const given = withoutNulls(objectOf(bytes))
  const body = endpoint === 'completions' ? { max_tokens: usualCompletionTokens, ...given } : given
  const { model, stream = false, stream_options } = body
  if (typeof model !== 'string' || model === '')
    throw new ApiRefusal(model === undefined ? 'You must name a model.' : "'model' must be a name.", {
      param: 'model',
      code: model === undefined ? 'missing_required_parameter' : 'invalid_value',
    })
  if (typeof stream !== 'boolean')
    throw new ApiRefusal("'stream' must be true or false.", { param: 'stream', code: 'invalid_value' })
  if (stream_options !== undefined && !stream)
    throw new ApiRefusal("'stream_options' belongs to a request with 'stream': true.", {
      param: 'stream_options',
      code: 'invalid_value',
    })
  return {
    endpoint,
    model,
    body,
    stream,
    includeUsage: isObject(stream_options) && stream_options.include_usage === true,
    mostTokens: limitOf(body),
    answers: Math.max(countOf(body, 'n') ?? 1, countOf(body, 'best_of') ?? 1),
  }
}

function objectOf(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    const text = decoder.decode(bytes)
    if (nesting(text) > deepest)
      throw new ApiRefusal(`The body is nested more than ${deepest} levels deep.`, { code: 'invalid_json' })
    value = JSON.parse(text)
  } catch (thrown) {
    if (thrown instanceof ApiRefusal) throw thrown
    throw new ApiRefusal('The body is not valid JSON.', { code: 'invalid_json', cause: thrown })
  }
  if (!isObject(value)) throw new ApiRefusal('The body must be a JSON object.', { code: 'invalid_json' })
  return value
}

/** Deepest level of brackets, those inside strings left out. */
function nesting(text: string): number {
  let [depth, most, inString] = [0, 0, false]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (inString) {
      if (code === 0x5c) at++
      else if (code === 0x22) inString = false
    } else if (code === 0x22) inString = true
    else if (code === 0x7b || code === 0x5b) most = Math.max(most, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return most
}

function withoutNulls(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
}

/** Both names of the limit; the newer one wins, as everywhere. */
function limitOf(body: Record<string, unknown>): number | undefined {
  const older = countOf(body, 'max_tokens')
  return countOf(body, 'max_completion_tokens') ?? older
}

function countOf(body: Record<string, unknown>, name: string): number | undefined {
  const value = body[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 0x7fff_ffff)
    throw new ApiRefusal(`'${name}' must be a whole number from 1 to 2147483647.`, { param: name, code: 'invalid_value' })
  return value
}
