import { Failure } from '../base/failure.ts'
import type { FormBytes, FormPart } from '../protocol/requests/form.ts'
import type { JsonObject } from '../protocol/requests/json-text.ts'
import { type RequestLimits, requestLimits } from '../protocol/requests/request-limits.ts'
import { readSealedForm, transcriptionPath, validateTranscription } from '../protocol/requests/transcription.ts'
import { readSealed, validateRequest } from '../protocol/requests/validate-request.ts'

/** JSON text, what was parsed of it (it is changed then), or the parts of a form. */
export type RequestBody = string | JsonObject | readonly FormPart[]

/** A body that was checked, as it is sent. */
export interface CheckedBody {
  readonly model: string
  readonly body: string | FormBytes
  /** What it allows its answer. */
  readonly limits: RequestLimits
}

const noLimits: RequestLimits = { bodyLimit: undefined, choices: 1 }

/**
 * Checks a body by the rules of its path, before anything is sent.
 * @param encrypted whoever encrypted it has checked it: only its model is read
 * @throws Failure `invalid-request` in the words of the network's workers
 */
export function checkBody(path: string, given: RequestBody, encrypted: boolean): CheckedBody {
  if (typeof given !== 'string' && !(given instanceof Map)) return checkForm(path, given, encrypted)
  if (path === transcriptionPath) throw new Failure('invalid-request', 'expected multipart/form-data')
  if (encrypted) return { ...readSealed(path, given), limits: noLimits }
  const { model, body, value } = validateRequest(path, given)
  return { model, body, limits: requestLimits(value) }
}

function checkForm(path: string, parts: readonly FormPart[], encrypted: boolean): CheckedBody {
  if (path !== transcriptionPath) throw new Failure('invalid-request', 'unsupported method')
  if (encrypted) {
    const { model, form } = readSealedForm(parts)
    return { model, body: form, limits: noLimits }
  }
  const { model, form, limits } = validateTranscription(parts)
  return { model, body: form, limits: requestLimits(limits) }
}
