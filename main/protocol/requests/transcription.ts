import { Failure } from '../../base/failure.ts'
import { type FormBytes, type FormPart, textOf, writeForm } from './form.ts'
import { JsonNumber, type JsonObject } from './json-text.ts'

/** Where audio is turned into text, the only path whose requests are forms (protocol 95 §5). */
export const transcriptionPath = '/v1/audio/transcriptions'

/** A request for a transcription that a worker may run. */
export interface ValidTranscription {
  readonly model: string
  /** True when the answer comes as server-sent events. */
  readonly stream: boolean
  /** Written anew, with these parts and nothing else. */
  readonly form: FormBytes
  /** The limits that the form sets itself, as a JSON body would. */
  readonly limits: JsonObject
}

/** What is wrong with the text of a field, in the words that go on the wire; undefined where nothing is. */
type TextRule = (name: string, text: string) => string | undefined

const any: TextRule = () => undefined
const boolean: TextRule = (name, text) => (/^(?:true|false)$/i.test(text) ? undefined : `${name} must be a boolean`)
const number: TextRule = (name, text) => (/^-?\d{1,9}(?:\.\d{1,18})?$/.test(text) ? undefined : `${name} must be a number`)
const unsigned: TextRule = (name, text) => (/^\d{1,15}$/.test(text) ? undefined : `${name} must be a number`)
const oneOf =
  (...words: readonly string[]): TextRule =>
  (name, text) =>
    words.includes(text) ? undefined : `${name} must be one of ${words.join(', ')}`

/**
 * Fields of OpenAI's transcriptions, and the limits that every request may carry. Which of them the network's workers take is not told (protocol 95 §5
 * names the path and its form); as for other paths an unknown one is refused.
 */
const fields: ReadonlyMap<string, TextRule> = new Map([
  ['model', any],
  ['language', any],
  ['prompt', any],
  ['response_format', oneOf('json', 'text', 'srt', 'verbose_json', 'vtt', 'diarized_json')],
  ['temperature', number],
  ['stream', boolean],
  ['timestamp_granularities[]', oneOf('word', 'segment')],
  ['include[]', any],
  ['chunking_strategy', any],
  ['max_tokens', unsigned],
  ['max_completion_tokens', unsigned],
])
const mostTextBytes = 64 * 1024

const invalid = (message: string): Failure<'invalid-request'> =>
  new Failure('invalid-request', message, { advice: 'Change the request and send it again.' })

/**
 * Checks a request for a transcription as a worker does, before anything is sent and before it reaches an engine.
 * @throws Failure `invalid-request` whose message goes on the wire with code 621
 */
export function validateTranscription(parts: readonly FormPart[]): ValidTranscription {
  const texts = new Map<string, string>()
  let files = 0
  for (const part of parts) {
    if (part.name === 'file') {
      if (part.fileName === undefined || part.bytes.length === 0) throw invalid('file must be a file that is not empty')
      files++
      continue
    }
    const rule = fields.get(part.name)
    if (rule === undefined) throw invalid(`unknown option '${part.name.slice(0, 100)}' in request`)
    if (part.bytes.length > mostTextBytes) throw invalid(`${part.name} is too long`)
    const wrong = rule(part.name, textOf(part))
    if (wrong !== undefined) throw invalid(wrong)
    if (texts.has(part.name) && !part.name.endsWith('[]')) throw invalid(`${part.name} is given twice`)
    texts.set(part.name, textOf(part))
  }
  if (files !== 1) throw invalid(files === 0 ? "missing required field 'file'" : 'file is given twice')
  const model = texts.get('model')
  if (model === undefined) throw invalid("missing required field 'model'")
  const limits: JsonObject = new Map()
  for (const name of ['max_tokens', 'max_completion_tokens']) {
    const text = texts.get(name)
    if (text !== undefined) limits.set(name, new JsonNumber(String(Number(text))))
  }
  return { model, stream: texts.get('stream')?.toLowerCase() === 'true', form: writeForm(parts), limits }
}

/**
 * A form whose texts are encrypted (protocol 95 §4.5): only its model can be read. Throws `Failure<'invalid-request'>`.
 */
export function readSealedForm(parts: readonly FormPart[]): { readonly model: string; readonly form: FormBytes } {
  const [model, ...more] = parts.filter(({ name }) => name === 'model')
  if (model === undefined || more.length > 0) throw invalid("missing required field 'model'")
  return { model: textOf(model), form: writeForm(parts) }
}
