import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode, encodeWithHeadroom, nameOf } from './codec.ts'
import { type Layout, plans } from './plan.ts'
import { cancelExtensionFlag, declarations } from './schema.ts'
import { TlError, type TlErrorCode } from './tl-error.ts'
import type { TlName, TlObject } from './types.ts'

interface Ids {
  constructors: { name: string; id: string }[]
}
interface Examples {
  examples: { constructor: string; value: unknown; hex: string }[]
  long_bytes: { constructor: string; length: number; prefix_hex: string; total_bytes: number; sha256: string }[]
}

/** Reads a vector file; numbers stay text, since some are beyond 2^53. */
function readVectors<T>(name: string): T {
  const text = readFileSync(new URL(`../vectors/tl/${name}`, import.meta.url), 'utf8')
  const keep = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? `number ${context?.source}` : value
  return JSON.parse(text, keep)
}

/** A decoded value in the notation of the vectors. */
function inVectorNotation(layout: Layout, value: unknown): unknown {
  switch (layout.kind) {
    case 'int256':
      return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : 'no bytes'
    case 'bytes':
      return value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : 'no bytes'
    case 'vector':
      return Array.isArray(value) ? value.map((item) => inVectorNotation(layout.item, item)) : 'no array'
    case 'bare':
    case 'boxed':
      return typeof value === 'object' && value !== null ? objectInVectorNotation({ ...value }) : 'no object'
    case 'bool':
    case 'string':
      return value
    default:
      return `number ${String(value)}`
  }
}

function objectInVectorNotation(value: Record<string, unknown>): Record<string, unknown> {
  const plan = plans.get(String(value['@type']))
  const out: Record<string, unknown> = { '@type': value['@type'] }
  for (const field of plan?.fields ?? []) {
    if (field.name in value) out[field.name] = inVectorNotation(field.layout, value[field.name])
  }
  return out
}

/** Vector numbers are written as JSON would, so 13.0 and 13 mean the same double. */
function normalised(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/^(number -?\d+)\.0$/, '$1')
  if (Array.isArray(value)) return value.map(normalised)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, normalised(v)]))
  return value
}

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

describe('ids', () => {
  it('agree with the compiled schema of the reference', () => {
    const known = new Map(readVectors<Ids>('constructor_ids.json').constructors.map(({ name, id }) => [name, id]))
    const ours = [...plans.values()].filter((plan) => known.has(plan.name))
    expect(ours.map((plan) => [plan.name, plan.id.toString(16).padStart(8, '0')])).toEqual(
      ours.map((plan) => [plan.name, known.get(plan.name)]),
    )
    expect(ours).toHaveLength(73)
    expect([...plans.keys()].filter((name) => !known.has(name))).toEqual(['client.cancelQuery', 'proxy.cancelQuery'])
    expect(new Set([...plans.values()].map((plan) => plan.id)).size).toBe(declarations.length)
  })

  it('announces the cancel extension by a bit that no field of the schema uses', () => {
    const bits = [...plans.values()].flatMap((plan) => plan.fields.map((field) => field.bit ?? 0))
    expect(bits.every((bit) => 2 ** bit !== cancelExtensionFlag)).toBe(true)
    const params = { '@type': 'client.params', flags: cancelExtensionFlag, client_owner_address: 'a' } as const
    expect(toHex(encode(params))).toBe('64cafd40000000400161' + '0000')
    expect(decode(encode(params), 'client.params')).toEqual(params)
  })
})

describe('serialization of the reference', () => {
  const { examples, long_bytes } = readVectors<Examples>('serialization.json')
  const ours = examples.filter((example) => plans.has(example.constructor))

  it('covers every constructor of the schema that the vectors have', () => {
    expect(new Set(ours.map((example) => example.constructor)).size).toBe(71)
    expect(ours.length).toBeGreaterThan(200)
  })

  it.each([...new Set(ours.map((example) => example.constructor))])('%s', (name) => {
    for (const example of ours.filter((candidate) => candidate.constructor === name)) {
      if (!isName(name)) throw new Error(`${name} is not in the schema`)
      const value = decode(hex(example.hex), name)
      expect(normalised(objectInVectorNotation({ ...value }))).toEqual(normalised(example.value))
      expect(toHex(encode(value))).toBe(example.hex)
    }
  })

  it('long bytes', () => {
    for (const { length, prefix_hex, total_bytes, sha256 } of long_bytes.map((example) => ({
      ...example,
      length: Number(String(example.length).slice(7)),
      total_bytes: Number(String(example.total_bytes).slice(7)),
    }))) {
      const data = Uint8Array.from({ length }, (_, k) => (31 * k + 7) % 256)
      const bytes = encode({ '@type': 'tcp.packet', data })
      expect(bytes.length).toBe(total_bytes)
      expect(toHex(bytes).startsWith(prefix_hex)).toBe(true)
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
      expect(decode(bytes, 'tcp.packet').data).toEqual(data)
    }
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
