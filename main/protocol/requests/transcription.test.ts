import { describe, expect, it } from 'vitest'
import { type FormPart, readForm } from './form.ts'
import { readSealedForm, validateTranscription } from './transcription.ts'

const text = (name: string, value: string): FormPart => ({ name, bytes: Buffer.from(value) })
const file: FormPart = { name: 'file', fileName: 'a.wav', contentType: 'audio/wav', bytes: Uint8Array.of(1, 2) }
const least = [text('model', 'whisper'), file]

describe('a request for a transcription', () => {
  it('may carry every field of its kind, and leaves as a form of these parts', () => {
    const parts = [
      ...least,
      text('language', 'de'),
      text('prompt', 'Namen: Grüße'),
      text('response_format', 'verbose_json'),
      text('temperature', '0.2'),
      text('timestamp_granularities[]', 'word'),
      text('timestamp_granularities[]', 'segment'),
      text('stream', 'True'),
      text('max_tokens', '00100'),
    ]
    const { model, stream, form, limits } = validateTranscription(parts)
    expect([model, stream]).toEqual(['whisper', true])
    expect([...limits.keys()]).toEqual(['max_tokens'])
    expect(limits.get('max_tokens')).toMatchObject({ text: '100' })
    const sent = readForm(form.contentType, form.bytes)
    expect(sent.map(({ name }) => name)).toEqual(parts.map(({ name }) => name))
    expect(sent[1]).toMatchObject({ fileName: 'a.wav', contentType: 'audio/wav', bytes: Uint8Array.of(1, 2) })
  })

  it('streams nothing unless it is asked to', () => expect(validateTranscription(least).stream).toBe(false))

  it.each([
    [[text('model', 'm')], "missing required field 'file'"],
    [[file], "missing required field 'model'"],
    [[...least, file], 'file is given twice'],
    [[text('model', 'm'), text('file', 'no file')], 'file must be a file that is not empty'],
    [[text('model', 'm'), { ...file, bytes: new Uint8Array(0) }], 'file must be a file that is not empty'],
    [[...least, text('model', 'other')], 'model is given twice'],
    [[...least, text('tools', '[]')], "unknown option 'tools' in request"],
    [[...least, text('__proto__', '{}')], "unknown option '__proto__' in request"],
    [[...least, text('x'.repeat(5000), '')], `unknown option '${'x'.repeat(100)}' in request`],
    [[...least, text('temperature', 'hot')], 'temperature must be a number'],
    [[...least, text('temperature', '1e999')], 'temperature must be a number'],
    [[...least, text('max_tokens', '-1')], 'max_tokens must be a number'],
    [[...least, text('stream', '1')], 'stream must be a boolean'],
    [[...least, text('response_format', 'exe')], 'response_format must be one of'],
    [[...least, text('prompt', 'x'.repeat(70_000))], 'prompt is too long'],
    [[...least, { name: 'language', bytes: Uint8Array.of(0xff) }], 'language must be text'],
    [[...least, { ...file, name: 'prompt' }], 'prompt must be text'],
    [[], "missing required field 'file'"],
  ])('%# is refused with its reason', (parts, reason) => {
    expect(() => validateTranscription(parts)).toThrow(expect.objectContaining({ code: 'invalid-request' }))
    expect(() => validateTranscription(parts)).toThrow(reason)
  })
})

it('of an encrypted form only the model is read', () => {
  const parts = [text('is_encrypted', 'v1'), text('model', 'whisper'), text('file', 'ENC_00'), text('anything', 'ENC_01')]
  const { model, form } = readSealedForm(parts)
  expect(model).toBe('whisper')
  expect(readForm(form.contentType, form.bytes)).toHaveLength(4)
  expect(() => readSealedForm([text('file', 'ENC_00')])).toThrow('model')
  expect(() => readSealedForm([...parts, text('model', 'two')])).toThrow('model')
})
