import { type Plan, plans } from './plan.ts'
import { TlReader } from './reader.ts'
import { TlError } from './tl-error.ts'
import type { TlName, TlObject } from './types.ts'
import { TlWriter } from './writer.ts'

/**
 * The boxed bytes of `object` (20 §1, §2).
 * @throws TlError `tl-bad-value` when a field is missing, of another kind or out of range, or contradicts its bit in `flags`
 */
export function encode(object: TlObject): Uint8Array<ArrayBuffer> {
  return encodeWithHeadroom(object, 0)
}

/** As `encode`, with `headroom` zero bytes in front, where a header can be written without copying. */
export function encodeWithHeadroom(object: TlObject, headroom: number): Uint8Array<ArrayBuffer> {
  const plan = plans.get(object['@type'])
  if (!plan) throw new TlError('tl-bad-value', `unknown type ${String(object['@type'])}`)
  const data = 'data' in object ? object.data.length : 'answer' in object ? object.answer.length : 0
  const writer = new TlWriter(headroom, 256 + data)
  writer.boxed(plan, { ...object })
  return writer.finish()
}

/**
 * The one object that `bytes` hold, which must be boxed and of one of the types `names`. The value owns its bytes.
 * Unknown flag bits are kept in `flags` and read no fields.
 * @throws TlError when the bytes hold another type, too few or too many bytes, or text that is not UTF-8
 */
export function decode<N extends TlName>(bytes: Uint8Array, ...names: readonly N[]): TlObject<N> {
  const reader = new TlReader(bytes)
  const value = reader.boxed(allowedFor(names), names.length === 1 ? (names[0] ?? '') : 'expected type')
  reader.end()
  // The reader built it field by field from the declaration that the type was inferred from.
  return value as unknown as TlObject<N>
}

/** Name of the type whose id stands at the start of `bytes`, if the schema has it. */
export function nameOf(bytes: Uint8Array): TlName | undefined {
  if (bytes.length < 4) return undefined
  const name = namesById.get(new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true))
  return name !== undefined && isTlName(name) ? name : undefined
}

const namesById: ReadonlyMap<number, string> = new Map([...plans.values()].map((plan) => [plan.id, plan.name]))

function isTlName(name: string): name is TlName {
  return plans.has(name) && name !== 'boolTrue' && name !== 'boolFalse'
}

/** Tables of allowed ids, one for each list of names that was ever asked for (callers use fixed lists). */
const tables = new Map<string, ReadonlyMap<number, Plan>>()

function allowedFor(names: readonly string[]): ReadonlyMap<number, Plan> {
  const key = names.join(' ')
  const known = tables.get(key)
  if (known) return known
  const table = new Map<number, Plan>()
  for (const name of names) {
    const plan = plans.get(name)
    if (plan) table.set(plan.id, plan)
  }
  tables.set(key, table)
  return table
}
