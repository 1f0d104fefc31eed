import { describe, expect, it } from 'vitest'
import { type FormPart, writeForm } from '../../protocol/requests/form.ts'
import { readClientForm } from './client-form.ts'

const text = (name: string, value: string | Uint8Array): FormPart => ({ name, bytes: Buffer.from(value) })
const file: FormPart = { name: 'file', fileName: 'a.wav', bytes: Uint8Array.of(1) }
const read = (parts: readonly FormPart[], usualLimit?: (coefficient: number, bytes: number) => number) => {
  const { contentType, bytes } = writeForm(parts)
  return readClientForm(contentType, bytes, usualLimit)
}
const least = [text('model', 'm'), file]

describe('a form for the client', () => {
  it('has the options of a JSON body, which the client keeps to itself', () => {
    const options = { max_coefficient: '1500', timeout: '2.5', enable_debug: 'true', request_guid: 'g', max_tokens: '70' }
    const { body, ...asked } = read([...least, ...Object.entries(options).map(([name, value]) => text(name, value))])
    expect(asked).toEqual({
      ...{ model: 'm', maxTokens: 70, maxCoefficient: 1500, timeoutMs: 2500, enableDebug: true, guid: 'g' },
      publicKey: undefined,
    })
    expect(body.map(({ name }) => name)).toEqual(['model', 'file', 'max_tokens'])
  })

  it('without a limit reserves the usual one, by the size of the whole form', () => {
    const seen: number[] = []
    const { maxTokens, body } = read(least, (coefficient, bytes) => {
      seen.push(coefficient, bytes)
      return 777
    })
    expect([maxTokens, seen[0], body.length]).toEqual([777, 4000, 2])
    expect(seen[1]).toBe(writeForm(least).bytes.length)
    expect(read(least).maxTokens).toBe(1000)
  })

  it.each([
    ['hexadecimal', Buffer.alloc(32, 0xfe).toString('hex')],
    ['base64', Buffer.alloc(32, 0xfe).toString('base64')],
    ['bytes', Buffer.alloc(32, 0xfe)],
  ])('that is encrypted names its key, as %s', (_name, key) => {
    const { publicKey } = read([...least, text('is_encrypted', 'v1'), text('receiver_public_key', key)])
    expect(publicKey).toEqual(new Uint8Array(32).fill(0xfe))
  })

  it.each([
    [[file], "missing field 'model'"],
    [[...least, text('model', 'n')], "field 'model' is given twice"],
    [[...least, text('timeout', 'soon')], "field 'timeout' must be positive number"],
    [[...least, text('timeout', '1e999')], "field 'timeout' must be positive number"],
    [[...least, text('max_coefficient', '-1')], "field 'max_coefficient' must be positive integer"],
    [[...least, text('enable_debug', 'perhaps')], "field 'enable_debug' must be boolean"],
    [[...least, text('is_encrypted', 'v1'), text('receiver_public_key', 'short')], 'must be a public key'],
    [[...least, text('is_encrypted', 'v1')], 'must be a public key'],
    [[...least, { ...file, name: 'timeout' }], 'timeout must be text'],
  ])('%# is refused in the words for JSON', (parts, words) => {
    expect(() => read(parts)).toThrow(
      expect.objectContaining({ code: 'invalid-request', message: expect.stringContaining(words) }),
    )
  })
})
