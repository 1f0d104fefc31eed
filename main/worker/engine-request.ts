import { Failure } from '../base/failure.ts'
import { formHeaders, type HeaderList, type HttpRequest, headerOf } from '../protocol/http/http-message.ts'
import { addressIn } from '../protocol/requests/addresses.ts'
import { readForm } from '../protocol/requests/form.ts'
import type { JsonObject } from '../protocol/requests/json-text.ts'
import type { Revision } from '../protocol/requests/request-tables.ts'
import { transcriptionPath, validateTranscription } from '../protocol/requests/transcription.ts'
import { validateRequest } from '../protocol/requests/validate-request.ts'

/** A checked request, as the engine gets it. */
export interface EngineRequest {
  readonly model: string
  /** True when the answer comes as server-sent events. */
  readonly stream: boolean
  readonly headers: HeaderList
  readonly body: Uint8Array
  /** The request's fields; of a form the limits alone. */
  readonly value: JsonObject
}

/**
 * Checks a request by the rules of its path and writes it anew for the engine (protocol 40 §5, 95 §5). What an engine would fetch is refused,
 * whoever runs that engine: strangers ask, and it stands where they cannot reach.
 * @throws Failure `invalid-request` in the words of the wire; TypeError for a body that is not UTF-8
 */
export function engineRequest(http: HttpRequest, revision: Revision): EngineRequest {
  // The rest, keys and addresses among it, would be a stranger's word to the worker's own engine.
  const headers = formHeaders(http.headers)
  if (http.path === transcriptionPath && revision !== 'recorded') {
    const { model, stream, form, limits } = validateTranscription(readForm(headerOf(headers, 'content-type'), http.body))
    const others = headers.filter(([name]) => name.toLowerCase() !== 'content-type')
    return { model, stream, headers: [...others, ['Content-Type', form.contentType]], body: form.bytes, value: limits }
  }
  const text = new TextDecoder('utf-8', { fatal: true }).decode(http.body)
  const { model, stream, body, value } = validateRequest(http.path, text, revision)
  const address = addressIn(value.get('messages'))
  if (address !== undefined)
    throw new Failure('invalid-request', `${address} must hold its data itself, as 'data:image/…;base64,…'`, {
      advice: 'Put the data into the request and send it again.',
    })
  return { model, stream, headers, body: new TextEncoder().encode(body), value }
}
