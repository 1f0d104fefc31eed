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

/** As `encode`, with zero bytes in front and behind, where a header and padding can be written without copying. */
export function encodeWithHeadroom(object: TlObject, headroom: number, tailroom = 0): Uint8Array<ArrayBuffer> {
  const plan = plans.get(object['@type'])
  if (!plan) throw new TlError('tl-bad-value', `unknown type ${String(object['@type'])}`)
  const data = 'data' in object ? object.data.length : 'answer' in object ? object.answer.length : 0
  const writer = new TlWriter(headroom, 256 + data + tailroom)
  writer.boxed(plan, object)
  return writer.finish(tailroom)
}

/**
 * The one object that `bytes` hold, which must be boxed and of one of the types `names`. The value owns its bytes.
 * Unknown flag bits are kept in `flags` and read no fields.
 * @throws TlError when the bytes hold another type, too few or too many bytes, or text that is not UTF-8
 */
export function decode<N extends TlName>(bytes: Uint8Array, ...names: readonly N[]): TlObject<N> {
  return decoder(...names)(bytes)
}

/** `decode` for a fixed list of types, made once: for what arrives thousands of times a second. */
export function decoder<N extends TlName>(...names: readonly N[]): (bytes: Uint8Array) => TlObject<N> {
  return decoderOf(names, { share: false })
}

/**
 * As `decoder`, but `bytes` and `int256` fields are views of what was given: for values that are passed on and forgotten. Who keeps one keeps
 * all of the given bytes.
 */
export function sharingDecoder<N extends TlName>(...names: readonly N[]): (bytes: Uint8Array) => TlObject<N> {
  return decoderOf(names, { share: true })
}

function decoderOf<N extends TlName>(
  names: readonly N[],
  options: { readonly share: boolean },
): (bytes: Uint8Array) => TlObject<N> {
  const allowed = allowedFor(names)
  const wanted = names.length === 1 ? (names[0] ?? '') : 'expected type'
  return (bytes) => {
    const reader = new TlReader(bytes, options)
    const value = reader.boxed(allowed, wanted)
    reader.end()
    // The reader built it field by field from the declaration that the type was inferred from.
    return value as unknown as TlObject<N>
  }
}

/** Name of the type whose id stands at the start of `bytes`, if the schema has it. */
export function nameOf(bytes: Uint8Array): TlName | undefined {
  if (bytes.length < 4) return undefined
  const id = ((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24)) >>> 0
  const name = namesById.get(id)
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
