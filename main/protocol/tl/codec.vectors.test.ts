import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { offWireDeclarations } from '../testing/off-wire-schema.ts'
import { readVectors } from '../testing/vector-cases.ts'
import { comparable, inNotation } from '../testing/vector-notation.ts'
import { notRun, ran } from '../testing/vector-runs.ts'
import { readAny, wholeSchema, writeAny } from '../testing/whole-schema.ts'
import { decode, encode } from './codec.ts'
import { plans } from './plan.ts'
import { declarations } from './schema.ts'
import type { TlName } from './types.ts'

const ids = 'tl/constructor_ids'
const texts = 'tl/serialization'
interface Ids {
  readonly constructors: readonly { name: string; id: string; wire: string; result: string }[]
  readonly bool: Readonly<Record<string, { id: string; wire: string }>>
}
interface Examples {
  readonly examples: readonly { constructor: string; value: unknown; hex: string }[]
  readonly long_bytes: readonly { constructor: string; length: string; prefix_hex: string; total_bytes: string; sha256: string }[]
}

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const wireOf = (id: number): string => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(id)
  return bytes.toString('hex')
}

describe('ids', () => {
  const { constructors, bool } = readVectors<Ids>(ids)

  it.each(constructors)('$name', ({ name, id, wire, result }) => {
    const plan = wholeSchema.get(name)
    expect([plan?.id.toString(16).padStart(8, '0'), wireOf(plan?.id ?? 0), plan?.result]).toEqual([id, wire, result])
    ran(ids, name)
  })

  it('of Bool', () => {
    for (const [name, { id, wire }] of Object.entries(bool)) {
      expect([wholeSchema.get(name)?.id.toString(16), wireOf(wholeSchema.get(name)?.id ?? 0)]).toEqual([id, wire])
      ran(ids, `bool.${name}`)
    }
  })

  it('are all of them, and ours are those, what newer revisions add, and the extensions', () => {
    const known = new Set(constructors.map(({ name }) => name))
    const added = [
      ...['worker.changedModel', 'worker.changeModel'],
      ...['keyManager.getWorkerPrivateKeysNewer', 'keyManager.getProxyPrivateKeysNewer'],
      ...['client.cancelQuery', 'proxy.cancelQuery'],
      ...['worker.sealingKey', 'client.getWorkerKeys', 'client.workerKey', 'client.workerKeys'],
      ...['client.runSealedQuery', 'proxy.runSealedQuery', 'sealed.walletW5', 'sealed.walletCocoon', 'sealed.key'],
      ...['sealed.machineKey', 'sealed.signedKey', 'sealed.head', 'sealed.request', 'sealed.end', 'sealed.error'],
    ]
    expect([...wholeSchema.keys()].filter((name) => !known.has(name)).sort()).toEqual(added.sort())
    expect(new Set([...wholeSchema.values()].map((plan) => plan.id)).size).toBe(declarations.length + offWireDeclarations.length)
    expect(notRun(ids)).toEqual([])
  })
})

describe('serialization of the reference', () => {
  const { examples, long_bytes } = readVectors<Examples>(texts, { exactNumbers: true })
  const numbered = examples.map((example, i) => ({ ...example, i }))

  it.each([...new Set(examples.map((example) => example.constructor))])('%s', (name) => {
    for (const { i, hex: expected, value } of numbered.filter((example) => example.constructor === name)) {
      const read = readAny(hex(expected))
      expect(comparable(inNotation(read, wholeSchema))).toEqual(comparable(value))
      expect(toHex(writeAny(read))).toBe(expected)
      // What travels goes through the codec that the product uses, too.
      if (plans.has(name)) expect(toHex(encode(decode(hex(expected), name as TlName)))).toBe(expected)
      ran(texts, `example ${i}`)
    }
  })

  it('long bytes', () => {
    const number = (text: string): number => Number(text.replace('number ', ''))
    for (const [i, { length, prefix_hex, total_bytes, sha256 }] of long_bytes.entries()) {
      const data = Uint8Array.from({ length: number(length) }, (_, k) => (31 * k + 7) % 256)
      const bytes = encode({ '@type': 'tcp.packet', data })
      expect(bytes.length).toBe(number(total_bytes))
      expect(toHex(bytes).startsWith(prefix_hex)).toBe(true)
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
      expect(decode(bytes, 'tcp.packet').data).toEqual(data)
      ran(texts, `long ${i}`)
    }
  })

  it('ran whole', () => expect(notRun(texts)).toEqual([]))
})
