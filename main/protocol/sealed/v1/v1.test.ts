import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { publicKeyOfSeed } from '../../../../contracts/signed.ts'
import { type JsonObject, parseJson, writeJson } from '../../requests/json-text.ts'
import { openAnswer, sealAnswer } from './answers.ts'
import { openObject, pairing, partiesOf, readKeyText, sealObject } from './envelope.ts'
import { EnvelopeError } from './envelope-error.ts'
import { montgomeryKey, sharedSecret, valueSecret } from './secret.ts'
import { decryptString, encryptString } from './strings.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const clientSeed = Uint8Array.from({ length: 32 }, (_, i) => i)
const workerSeed = Uint8Array.from({ length: 32 }, (_, i) => i + 32)
const [clientKey, workerKey] = [publicKeyOfSeed(clientSeed), publicKeyOfSeed(workerSeed)]
const forClient = pairing(clientSeed, workerKey)
const forWorker = pairing(workerSeed, clientKey)
const object = (text: string): JsonObject => {
  const value = parseJson(text)
  if (!(value instanceof Map)) throw new Error('no object')
  return value
}
const question = '{"max_tokens":5,"messages":[{"content":"hello","role":"user"}],"model":"M","stop":["a","b"],"stream":true}'

describe('the worked example of the protocol', () => {
  it('keys and their common secret', () => {
    expect(hex(clientKey)).toBe('03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8')
    expect(hex(workerKey)).toBe('29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7')
    const shared = 'f6f92efb32945aff683324a1c984c5001f46aaea513f3453138d740b3a604b7d'
    expect([hex(sharedSecret(clientSeed, workerKey)), hex(sharedSecret(workerSeed, clientKey))]).toEqual([shared, shared])
  })

  it('the secret of a value, and one string', () => {
    const nonce = Buffer.alloc(32).toString('base64')
    const secret = valueSecret(forClient.shared, nonce, 'c')
    expect(hex(secret)).toBe('e542cc4b29a83363c299544452b1a49ae12bed5e990aeaf07b104c368178c924')
    const sealed = encryptString(secret, Buffer.from('hello'), (length) => new Uint8Array(length).fill(0xaa))
    expect(hex(sealed)).toBe('9544a0771e59079a5f47122dd04a7ad1aba3d48770b113a62eb5b2564ac543a2632e8615b9bf6c4c214b7d81c1622f94')
    expect(Buffer.from(decryptString(secret, sealed)).toString()).toBe('hello')
  })
})

describe('strings', () => {
  it('come back whatever their length, with a prefix of 16 to 31 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), (data, secret) => {
        const sealed = encryptString(secret, data)
        expect(sealed.length % 16).toBe(0)
        expect(sealed.length - 16 - data.length).toBeGreaterThanOrEqual(16)
        expect(sealed.length - 16 - data.length).toBeLessThanOrEqual(31)
        expect(hex(decryptString(secret, sealed))).toBe(hex(data))
      }),
    )
  })

  it('with any bit changed, cut, or under another secret do not open', () => {
    const secret = new Uint8Array(32).fill(1)
    const sealed = encryptString(secret, Buffer.from('a secret of forty letters, or nearly so'))
    for (let bit = 0; bit < sealed.length * 8; bit += 5) {
      const changed = Uint8Array.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => decryptString(secret, changed)).toThrow(EnvelopeError)
    }
    for (const length of [0, 15, 16, 31, sealed.length - 1, sealed.length - 16])
      expect(() => decryptString(secret, sealed.subarray(0, length))).toThrow(EnvelopeError)
    expect(() => decryptString(new Uint8Array(32).fill(2), sealed)).toThrow(EnvelopeError)
  })
})

describe('keys', () => {
  it.each([
    ['hex', hex(clientKey)],
    ['upper-case hex', hex(clientKey).toUpperCase()],
    ['base64', Buffer.from(clientKey).toString('base64')],
  ])('are read in %s', (_name, text) => expect(hex(readKeyText(text))).toBe(hex(clientKey)))

  it('are read as 32 letters', () => expect(readKeyText('a'.repeat(32))).toEqual(new Uint8Array(32).fill(0x61)))

  it.each([[undefined], [null], [''], ['abc'], [`${hex(clientKey)}00`], ['g'.repeat(64)]])('%j is none', (text) => {
    expect(() => readKeyText(text)).toThrow(EnvelopeError)
  })

  it.each([
    ['the neutral point', `01${'00'.repeat(31)}`],
    ['the point of order two', `ec${'ff'.repeat(30)}7f`],
    ['y = 0, of order four', '00'.repeat(32)],
    ['a point of order eight', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['a number above the prime', 'ff'.repeat(32)],
    ['31 bytes', '01'.repeat(31)],
  ])('%s is refused as a peer’s key', (_name, key) => {
    expect(() => sharedSecret(clientSeed, bytes(key))).toThrow(EnvelopeError)
  })

  it('convert as the base point does', () => {
    expect(hex(montgomeryKey(bytes(`58${'66'.repeat(31)}`)))).toBe(`09${'00'.repeat(31)}`)
  })
})

describe('an envelope', () => {
  it('hides every text but those that the network has to read, at any depth', () => {
    const sealed = writeJson(
      sealObject(object('{"model":"M","a":["x",{"model":"readable","b":"hidden","n":1.50,"t":true,"z":null}]}'), forClient, 'c'),
    )
    expect(sealed).toMatch(/"model":"readable"/)
    expect(sealed).toContain('"n":1.50,"t":true,"z":null')
    expect(sealed).not.toContain('hidden')
    expect(sealed).not.toMatch(/"x"/)
    expect(sealed).toMatch(/"is_encrypted":"v1"/)
    expect(sealed).toContain(hex(workerKey))
  })

  it('opens to what it was, for the worker and for nobody else', () => {
    const sealed = sealObject(object(question), forClient, 'c')
    expect(writeJson(openObject(sealed, forWorker, 'c'))).toBe(question)
    expect(() => openObject(sealed, forWorker, 'w')).toThrow(EnvelopeError)
    const other = pairing(new Uint8Array(32).fill(77), clientKey)
    expect(() => openObject(sealed, other, 'c')).toThrow('other keys')
    expect(() => openObject(sealed, { ...other, own: workerKey }, 'c')).toThrow('does not open')
    expect(() => openObject(sealed, forClient, 'c')).toThrow('other keys')
  })

  it('of any texts comes back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), (texts) => {
        const fields = Object.entries(texts).filter(
          ([key]) =>
            !/^(is_encrypted|.*_public_key|encryption_nonce|model|max_|timeout|debug|enable_debug|request_guid)/.test(key),
        )
        const value: JsonObject = new Map(fields)
        expect(writeJson(openObject(sealObject(value, forClient, 'c'), forWorker, 'c'))).toBe(writeJson(value))
      }),
      { numRuns: 50 },
    )
  })

  it('never uses a nonce twice', () => {
    const nonces = Array.from({ length: 50 }, () => partiesOf(sealObject(object(question), forClient, 'c')).nonce)
    expect(new Set(nonces).size).toBe(50)
  })

  it('takes strings that are marked as readable', () => {
    const sealed = sealObject(object(question), forClient, 'c')
    sealed.set('user', 'DEC_somebody')
    expect(openObject(sealed, forWorker, 'c').get('user')).toBe('somebody')
  })

  it.each<[string, (sealed: JsonObject) => unknown]>([
    ['without its mark', (sealed) => sealed.delete('is_encrypted')],
    ['of another version', (sealed) => sealed.set('is_encrypted', 'v2')],
    ['without a nonce', (sealed) => sealed.delete('encryption_nonce')],
    ['with another nonce', (sealed) => sealed.set('encryption_nonce', Buffer.alloc(32, 5).toString('base64'))],
    ['with a short nonce', (sealed) => sealed.set('encryption_nonce', 'abc=')],
    ['without a sender', (sealed) => sealed.delete('sender_public_key')],
    ['without a receiver', (sealed) => sealed.delete('receiver_public_key')],
    ['for another receiver', (sealed) => sealed.set('receiver_public_key', hex(clientKey))],
    ['from another sender', (sealed) => sealed.set('sender_public_key', hex(workerKey))],
    ['with a string that is not encrypted', (sealed) => sealed.set('user', 'me')],
    ['with a string in upper-case hex', (sealed) => sealed.set('user', 'ENC_AB')],
    ['with an empty string as ciphertext', (sealed) => sealed.set('user', 'ENC_')],
    ['with a string of noise', (sealed) => sealed.set('user', `ENC_${'ab'.repeat(48)}`)],
    [
      'with bytes that are no text',
      (sealed) => {
        const { nonce } = partiesOf(sealed)
        const secret = valueSecret(forClient.shared, nonce, 'c')
        return sealed.set('user', `ENC_${hex(encryptString(secret, Uint8Array.of(0xff, 0xfe)))}`)
      },
    ],
  ])('%s does not open', (_name, spoil) => {
    const sealed = sealObject(object(question), forClient, 'c')
    spoil(sealed)
    expect(() => openObject(sealed, forWorker, 'c')).toThrow(EnvelopeError)
  })
})

describe('an answer', () => {
  const stream =
    'data: {"choices":[{"delta":{"content":"Hi there"}}],"id":"x"}\n\n: a comment\n\ndata: {"choices":[],"usage":{"completion_tokens":2}}\n\ndata: [DONE]\n\n'
  const freshNonce = `"encryption_nonce":"${Buffer.alloc(32, 5).toString('base64')}"`
  const pass = (change: ReturnType<typeof sealAnswer>, text: string, cut: number): string => {
    const all = Buffer.from(text)
    const out: Uint8Array[] = []
    for (let at = 0; at < all.length; at += cut) out.push(change.push(all.subarray(at, at + cut)))
    return Buffer.concat([...out, change.finish()]).toString()
  }

  it.each([1, 7, 10_000])('as a stream comes back, in pieces of %s bytes', (cut) => {
    const sealed = pass(sealAnswer('text/event-stream', forWorker), stream, cut)
    // The space is no letter of the encodings that chance could write it in.
    expect(sealed).not.toContain('Hi there')
    expect(sealed).toContain('"completion_tokens":2')
    expect(sealed.match(/"encryption_nonce":"[^"]+"/g)?.length).toBe(2)
    expect(new Set(sealed.match(/"encryption_nonce":"[^"]+"/g)).size).toBe(2)
    expect(sealed.endsWith('data: [DONE]\n\n')).toBe(true)
    const opened = pass(openAnswer('text/event-stream', forClient), sealed, cut)
    expect(opened).toBe(stream.replace(': a comment\n\n', ''))
  })

  it.each([1, 50, 10_000])('as one document comes back, in pieces of %s bytes', (cut) => {
    const text = '{"choices":[{"message":{"content":"Hi","role":"assistant"}}],"usage":{"prompt_tokens":3}}\n'
    const sealed = pass(sealAnswer('application/json', forWorker), text, cut)
    expect(sealed).not.toContain('assistant')
    expect(pass(openAnswer('application/json', forClient), sealed, cut)).toBe(text)
  })

  it.each<[string, (sealed: string) => string]>([
    ['in plain', () => stream],
    [
      'with a value altered',
      (sealed) => sealed.replace(/ENC_(.)/, (_all, letter: string) => `ENC_${letter === 'a' ? 'b' : 'a'}`),
    ],
    ['with its end cut off', (sealed) => sealed.replace('data: [DONE]\n\n', '')],
    ['with a value twice', (sealed) => sealed + sealed],
    ['with a value that is no object', () => 'data: "DEC_hello"\n\n'],
    [
      'with texts of somebody on the way, marked as readable',
      (sealed) => sealed.replaceAll(/ENC_[0-9a-f]+/g, 'DEC_I am the worker').replace(/"encryption_nonce":"[^"]+"/, freshNonce),
    ],
    ['with one such text more', (sealed) => sealed.replace('"is_encrypted"', '"role":"DEC_assistant","is_encrypted"')],
    ['with a value that is no JSON', () => 'data: {"a"\n\n'],
    ['from the client itself', () => `data: ${writeJson(sealObject(object('{"a":"b"}'), forClient, 'w'))}\n\n`],
  ])('%s is refused', (_name, spoil) => {
    const sealed = pass(sealAnswer('text/event-stream', forWorker), stream, 10_000)
    expect(() => pass(openAnswer('text/event-stream', forClient), spoil(sealed), 10_000)).toThrow(EnvelopeError)
  })

  it('that ends inside a document is refused', () => {
    const sealed = pass(sealAnswer('application/json', forWorker), '{"a":"b"}', 100)
    expect(() => pass(openAnswer('application/json', forClient), sealed.slice(0, -10), 100)).toThrow('inside a value')
  })
})
