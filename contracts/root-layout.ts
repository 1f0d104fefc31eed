import { beginCell, type Cell, Dictionary, type DictionaryValue } from '@ton/core'
import { bytes, hex, LayoutError, uint } from './cells.ts'

/** Key of every list of hashes or public keys in the root contract. */
export const hashKey = Dictionary.Keys.BigUint(256)

/** Lists of hashes have keys and no values. */
export const nothing: DictionaryValue<null> = { serialize: () => undefined, parse: () => null }

/** `bit 0, u7 length, bytes` (protocol 60 §3.3). */
export const entryText: DictionaryValue<string> = {
  serialize: (text, builder) => {
    builder.storeSlice(entryCell(text).beginParse())
  },
  parse: (slice) => {
    slice.loadBit()
    return slice.loadBuffer(slice.loadUint(7)).toString('latin1')
  },
}

/** Type and end of a public key (protocol 95 §3). */
export const keyEntry: DictionaryValue<{ type: number; expiresAtSec: number }> = {
  serialize: (value, builder) => {
    builder.storeUint(uint('type', value.type, 8), 8).storeUint(uint('expiresAtSec', value.expiresAtSec, 32), 32)
  },
  parse: (slice) => ({ type: slice.loadUint(8), expiresAtSec: slice.loadUint(32) }),
}

/** One network address as the root contract stores it; the empty text stands for none. Throws RangeError when it is too long. */
export function entryCell(text: string): Cell {
  const raw = Buffer.from(text, 'latin1')
  return beginCell()
    .storeBit(0)
    .storeUint(uint('proxy entry length', raw.length, 7), 7)
    .storeBuffer(raw)
    .endCell()
}

/** A number of 256 bits as lower-case hex. */
export function hash256(value: bigint): string {
  return value.toString(16).padStart(64, '0')
}

/** Keys of a list, as lower-case hex. */
export function keySet(dict: Dictionary<bigint, null>): ReadonlySet<string> {
  return new Set(dict.keys().map(hash256))
}

/** A list of hashes of 32 bytes. Throws RangeError that names it. */
export function hashDict(name: string, hashes: readonly Uint8Array[]): Dictionary<bigint, null> {
  const dict = Dictionary.empty(hashKey, nothing)
  for (const value of hashes) dict.set(BigInt(`0x${hex(bytes(name, value, 32))}`), null)
  return dict
}

/** 32 bytes from hex. Throws RangeError that names the field. */
export function hexBytes(name: string, text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new RangeError(`${name} must be 64 hex digits, not ${JSON.stringify(text)}`)
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** The params cell of a root contract's data, whatever comes after it. Throws LayoutError. */
export function paramsCellOf(data: Cell): Cell {
  const cell = data.refs[1]
  if (cell === undefined) throw new LayoutError('root: unexpected layout')
  return cell
}
