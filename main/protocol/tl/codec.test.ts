import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode, encodeWithHeadroom, nameOf } from './codec.ts'
import { plans } from './plan.ts'
import { cancelExtensionFlag, sealedExtensionFlag } from './schema.ts'
import { TlError, type TlErrorCode } from './tl-error.ts'
import type { TlName, TlObject } from './types.ts'

function isName(name: string): name is TlName {
  return plans.has(name)
}

function errorCode(act: () => unknown): TlErrorCode | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof TlError) return error.code
    throw error
  }
}

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('the cancel extension', () => {
  it('is announced by a bit that no field of the schema uses', () => {
    const bits = [...plans.values()].flatMap((plan) => plan.fields.map((field) => field.bit ?? 0))
    expect(bits.every((bit) => 2 ** bit !== cancelExtensionFlag && 2 ** bit !== sealedExtensionFlag)).toBe(true)
    const params = { '@type': 'client.params', flags: cancelExtensionFlag, client_owner_address: 'a' } as const
    expect(toHex(encode(params))).toBe('64cafd40000000400161' + '0000')
    expect(decode(encode(params), 'client.params')).toEqual(params)
  })
})

describe('strict reading', () => {
  const answer: TlObject<'client.queryAnswerEx'> = {
    '@type': 'client.queryAnswerEx',
    request_id: new Uint8Array(32).fill(7),
    answer: new TextEncoder().encode('hello'),
    flags: 1,
    final_info: {
      '@type': 'client.queryFinalInfo',
      flags: 0,
      tokens_used: {
        '@type': 'tokensUsed',
        prompt_tokens_used: 1n,
        cached_tokens_used: 0n,
        completion_tokens_used: 2n,
        reasoning_tokens_used: 0n,
        total_tokens_used: 3n,
      },
    },
  }

  it('refuses every prefix and every longer text of a good object', () => {
    const bytes = encode(answer)
    for (let length = 0; length < bytes.length; length++)
      expect(errorCode(() => decode(bytes.subarray(0, length), 'client.queryAnswerEx'))).toBe('tl-truncated')
    expect(errorCode(() => decode(new Uint8Array([...bytes, 0]), 'client.queryAnswerEx'))).toBe('tl-leftover')
    expect(errorCode(() => decode(new Uint8Array([...bytes, 0, 0, 0, 0]), 'client.queryAnswerEx'))).toBe('tl-leftover')
  })

  it('returns exactly one of the asked types', () => {
    const bytes = encode(answer)
    expect(decode(bytes, 'client.queryAnswerPartEx', 'client.queryAnswerEx')).toEqual(answer)
    expect(errorCode(() => decode(bytes, 'client.queryAnswerPartEx', 'client.queryAnswerErrorEx'))).toBe(
      'tl-unexpected-constructor',
    )
    expect(errorCode(() => decode(hex('01020304'), 'tcp.ping'))).toBe('tl-unexpected-constructor')
    // A boxed field takes only constructors of its own type.
    const status = encode({
      '@type': 'client.paymentStatus',
      signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
      db_tokens: 0n,
      max_tokens: 0n,
    })
    status.set(encode({ '@type': 'client.getWorkerTypes' }), 4)
    expect(errorCode(() => decode(status, 'client.paymentStatus'))).toBe('tl-unexpected-constructor')
  })

  it('refuses lengths and counts that point beyond the bytes', () => {
    const refused = [
      'f8ba179c 05010203', // 5 bytes announced, 3 there
      'f8ba179c feffffff',
      'f8ba179c ff000000 00000001', // 2^48
      'f8ba179c ffffffff ffffffff',
      'f8ba179c 01', // the header alone is padded to 4
      '010e4ef6 ffffffff', // client.workerTypes with 2^32 - 1 elements
      '67dcf00c 02000000 00000000 00000000', // one of two elements
    ]
    for (const bytes of refused)
      expect([bytes, errorCode(() => decode(hex(bytes), 'tcp.packet', 'client.workerTypes', 'client.workerTypesV2'))]).toEqual([
        bytes,
        'tl-truncated',
      ])
  })

  it('takes the longer length headers of lazy writers', () => {
    expect(decode(hex('f8ba179c fe030000 61626300'), 'tcp.packet').data).toEqual(hex('616263'))
    expect(decode(hex('f8ba179c ff030000 00000000 61626300'), 'tcp.packet').data).toEqual(hex('616263'))
  })

  it('refuses more vector elements than it will hold, though the bytes are there', () => {
    const bytes = new Uint8Array(8 + 65_537 * 8)
    bytes.set(hex('67dcf00c 01000100'))
    expect(errorCode(() => decode(bytes, 'client.workerTypesV2'))).toBe('tl-too-many')
  })

  it('refuses text that is not UTF-8 and keeps a byte order mark', () => {
    const header = encode({ '@type': 'http.header', name: 'é', value: '\ufeffv' })
    expect(decode(header, 'http.header')).toMatchObject({ name: 'é', value: '\ufeffv' })
    header[6] = 0x20
    expect(errorCode(() => decode(header, 'http.header'))).toBe('tl-bad-text')
  })

  it('refuses a Bool that is neither', () => {
    const bytes = encode({ '@type': 'worker.proxyHandshakeComplete', is_disabled: true })
    bytes[4] = 0
    expect(errorCode(() => decode(bytes, 'worker.proxyHandshakeComplete'))).toBe('tl-unexpected-constructor')
  })

  it('returns copies', () => {
    const bytes = Buffer.from(encode(answer))
    const value = decode(bytes, 'client.queryAnswerEx')
    bytes.fill(0)
    expect(value).toEqual(answer)
    expect(Buffer.isBuffer(value.answer)).toBe(false)
  })

  it('never throws anything but a TlError on random bytes', () => {
    const names = [...plans.keys()].filter(isName).filter((name) => !name.startsWith('bool'))
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), (name, tail) => {
        const id = new Uint8Array(4)
        new DataView(id.buffer).setUint32(0, plans.get(name)?.id ?? 0, true)
        const bytes = new Uint8Array([...id, ...tail])
        const code = errorCode(() => decode(bytes, name))
        // What is taken must also be writable, and mean the same.
        if (code === undefined) expect(decode(encode(decode(bytes, name)), name)).toEqual(decode(bytes, name))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('strict writing', () => {
  const params: TlObject<'client.params'> = { '@type': 'client.params', flags: 1, client_owner_address: '', is_test: true }

  it('refuses what contradicts the flags', () => {
    expect(errorCode(() => encode({ ...params, flags: 0 }))).toBe('tl-bad-value')
    expect(errorCode(() => encode({ ...params, flags: 3 }))).toBe('tl-bad-value')
    expect(errorCode(() => encode(params))).toBeUndefined()
  })

  it('refuses values out of range', () => {
    expect(errorCode(() => encode({ '@type': 'tcp.ping', id: 2n ** 63n }))).toBe('tl-bad-value')
    expect(errorCode(() => encode({ '@type': 'worker.newCoefficient', new_coefficient: 2 ** 31 }))).toBe('tl-bad-value')
    expect(errorCode(() => encode({ '@type': 'worker.newCoefficient', new_coefficient: 0.5 }))).toBe('tl-bad-value')
    expect(errorCode(() => encode({ ...params, flags: -1 }))).toBe('tl-bad-value')
    expect(errorCode(() => encode({ '@type': 'client.cancelQuery', request_id: new Uint8Array(31) }))).toBe('tl-bad-value')
    expect(errorCode(() => encode({ '@type': 'tcp.packet', data: new Uint8Array(2 ** 24) }))).toBe('tl-bad-value')
  })

  it('leaves the asked headroom', () => {
    const bytes = encodeWithHeadroom({ '@type': 'tcp.ping', id: 1n }, 8)
    expect(toHex(bytes)).toBe(`${'00'.repeat(8)}7c62e9bb0100000000000000`)
  })

  it('names the type of bytes', () => {
    expect(nameOf(encode(params))).toBe('client.params')
    expect(nameOf(hex('b5757299'))).toBeUndefined()
    expect(nameOf(hex('010203'))).toBeUndefined()
  })
})
