import { Failure } from '../base/failure.ts'
import { isForm, readForm, textOf } from '../protocol/requests/form.ts'
import { encode, sharingDecoder } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'

/** What the proxy needs to know of a query's body to judge the usage that is reported for it. Nothing of it is kept or logged. */
export interface QueryFacts {
  /** Completion tokens the body allows per choice; undefined when it sets no limit or cannot be read. */
  readonly bodyLimit: number | undefined
  /** Choices asked for. */
  readonly choices: number
}

const decodeRequest = sharingDecoder('http.request')
const decodeResponse = sharingDecoder('http.response')

/**
 * Reads the boxed `http.request` of a query. Throws `TlError` when the bytes hold none. The proxy refuses to know more than
 * limits: a body that is no JSON object (another media type, for example) simply has none.
 */
export function readQueryFacts(query: Uint8Array): QueryFacts {
  const request = decodeRequest(query)
  const contentType = request.headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value
  if (isForm(contentType)) return { bodyLimit: formLimit(contentType, request.payload), choices: 1 }
  const body = jsonObject(request.payload)
  const limit = body?.max_completion_tokens ?? body?.max_tokens
  const choices = body?.n
  return {
    bodyLimit: isCount(limit) ? limit : undefined,
    choices: isCount(choices) && choices > 1 ? Math.min(choices, 1024) : 1,
  }
}

/** The limit that a form sets (protocol 95 §5); a malformed one, which its worker refuses, sets none. */
function formLimit(contentType: string, payload: Uint8Array): number | undefined {
  try {
    const parts = readForm(contentType, payload)
    const part = parts.find(({ name }) => name === 'max_completion_tokens') ?? parts.find(({ name }) => name === 'max_tokens')
    const limit = part === undefined ? undefined : Number(textOf(part))
    return isCount(limit) ? limit : undefined
  } catch (thrown) {
    if (thrown instanceof Failure) return undefined
    throw thrown
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function jsonObject(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/**
 * A worker's first answer with the proxy's timing headers (50 §4). Returns the new boxed `http.response` and the bytes of body
 * that it carries. Throws `TlError` when the answer is no `http.response`.
 */
export function withTimingHeaders(
  answer: Uint8Array,
  startSeconds: number,
  endSeconds: number,
): { bytes: Uint8Array; bodyBytes: number } {
  const response: TlObject<'http.response'> = decodeResponse(answer)
  const header = (name: string, value: string): TlObject<'http.header'> => ({ '@type': 'http.header', name, value })
  const bytes = encode({
    ...response,
    headers: [
      ...response.headers,
      header('X-Cocoon-Proxy-Start', startSeconds.toFixed(6)),
      header('X-Cocoon-Proxy-End', endSeconds.toFixed(6)),
    ],
  })
  return { bytes, bodyBytes: response.payload.length }
}
