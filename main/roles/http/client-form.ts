import { Failure } from '../../base/failure.ts'
import { type FormPart, readForm, textOf } from '../../protocol/requests/form.ts'
import { JsonNumber, type JsonObject } from '../../protocol/requests/json-text.ts'
import { type ClientRequest, readClientOptions } from './client-request.ts'

/** What a program asked for with a form: the options that only the client understands are taken out of it. */
export interface ClientFormRequest extends Omit<ClientRequest, 'body'> {
  readonly body: readonly FormPart[]
}

/** Options of a JSON body that may stand in a form too (protocol 95 §4.2, §4.5). */
const numbers = ['max_tokens', 'max_completion_tokens', 'max_coefficient', 'timeout']
const others = ['model', 'enable_debug', 'request_guid', 'is_encrypted', 'receiver_public_key']
/** Not passed on; a limit of text tokens means nothing to an engine that writes down what it hears, but the proxy reserves by it. */
const own: ReadonlySet<string> = new Set(['max_coefficient', 'timeout', 'enable_debug', 'request_guid'])

/**
 * Reads a form as `readClientRequest` reads a JSON body: the options are the same, and so is what is said of wrong ones. A usual limit is reserved,
 * not written into the form.
 * @throws Failure `invalid-request`
 */
export function readClientForm(
  contentType: string | undefined,
  bytes: Uint8Array,
  usualLimit?: (maxCoefficient: number, bytes: number) => number,
): ClientFormRequest {
  const parts = readForm(contentType, bytes)
  const options: JsonObject = new Map()
  for (const part of parts) {
    if (!numbers.includes(part.name) && !others.includes(part.name)) continue
    if (options.has(part.name))
      throw new Failure('invalid-request', `failed to parse request: field '${part.name}' is given twice`)
    const text = part.name === 'receiver_public_key' ? keyText(part) : textOf(part)
    if (part.name === 'enable_debug') options.set(part.name, text === 'true' ? true : text === 'false' ? false : text)
    else options.set(part.name, numbers.includes(part.name) ? new JsonNumber(text.trim()) : text)
  }
  const read = readClientOptions(options, bytes.length, usualLimit)
  return { ...read, body: parts.filter(({ name }) => !own.has(name)) }
}

/** A key may stand in a form as its bytes, which need not be text. */
function keyText(part: FormPart): string {
  return part.bytes.length === 32 ? Buffer.from(part.bytes).toString('hex') : textOf(part)
}
