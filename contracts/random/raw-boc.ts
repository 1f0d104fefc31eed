import { hash as digest } from 'node:crypto'
import { BitReader, BitString, Cell } from '@ton/core'

/**
 * A cell as the emulator hands it out, hashed and turned into a `Cell` only where somebody looks. An account is mostly
 * code that never changes: building all its cells would take longer than running the transaction.
 */
export interface RawCell {
  /** Twice the number of bytes, minus one when the last byte ends with a set bit and zeros. */
  readonly length: number
  readonly data: Buffer
  readonly refs: readonly RawCell[]
  /** Filled when first asked for. */
  hash?: Buffer
  depth?: number
  cell?: Cell
}

const MAGIC = 0xb5ee9c72

/** Reads a bag of ordinary cells with one root. Throws RangeError for anything else. */
export function readRawBoc(base64: string): RawCell {
  const source = Buffer.from(base64, 'base64')
  if (source.readUInt32BE(0) !== MAGIC) throw new RangeError('not a bag of cells')
  const flags = source.readUInt8(4)
  const size = flags & 7
  const offsetSize = source.readUInt8(5)
  let at = 6
  const take = (bytes: number) => {
    at += bytes
    return source.readUIntBE(at - bytes, bytes)
  }
  const count = take(size)
  const roots = take(size)
  take(size)
  take(offsetSize)
  const root = take(size)
  if (roots !== 1) throw new RangeError(`${roots} roots instead of one`)
  if ((flags & 0x80) !== 0) at += count * offsetSize
  const cells: (RawCell & { refs: RawCell[] })[] = []
  const links: number[][] = []
  for (let index = 0; index < count; index += 1) {
    const refs = take(1)
    if (refs > 4) throw new RangeError('not an ordinary cell')
    const length = take(1)
    const bytes = (length + 1) >> 1
    cells.push({ length, data: source.subarray(at, at + bytes), refs: [] })
    at += bytes
    const indexes: number[] = []
    for (let ref = 0; ref < refs; ref += 1) indexes.push(take(size))
    links.push(indexes)
  }
  for (const [index, indexes] of links.entries()) for (const ref of indexes) pick(cells, index).refs.push(pick(cells, ref))
  return pick(cells, root)
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new RangeError(`no cell ${index}`)
  return item
}

/** The representation hash; the same as `rawToCell(raw).hash()`. */
export function rawHash(raw: RawCell): Buffer {
  if (raw.hash !== undefined) return raw.hash
  const head = 2 + raw.data.length
  const source = Buffer.alloc(head + raw.refs.length * 34)
  source[0] = raw.refs.length
  source[1] = raw.length
  raw.data.copy(source, 2)
  let depth = 0
  for (const [index, ref] of raw.refs.entries()) {
    rawHash(ref).copy(source, head + 2 * raw.refs.length + 32 * index)
    source.writeUInt16BE(ref.depth ?? 0, head + 2 * index)
    depth = Math.max(depth, (ref.depth ?? 0) + 1)
  }
  raw.depth = depth
  raw.hash = digest('sha256', source, 'buffer')
  return raw.hash
}

/** The bits of this cell alone. */
export function rawBits(raw: RawCell): BitString {
  if (raw.length % 2 === 0) return new BitString(raw.data, 0, raw.data.length * 8)
  const last = raw.data[raw.data.length - 1] ?? 0
  return new BitString(raw.data, 0, raw.data.length * 8 - 1 - Math.log2(last & -last))
}

export function rawReader(raw: RawCell): BitReader {
  return new BitReader(rawBits(raw))
}

export function rawToCell(raw: RawCell): Cell {
  raw.cell ??= new Cell({ bits: rawBits(raw), refs: raw.refs.map(rawToCell) })
  return raw.cell
}
