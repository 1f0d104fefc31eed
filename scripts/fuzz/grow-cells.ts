import { BitString, beginCell, Cell } from '@ton/core'
import type { Random } from './random.ts'

/** Bags of cells whose trees are good but for some changed bits and references: bytes changed at random rarely pass the first check. */
export function grownCells(bocs: readonly Uint8Array[]): (random: Random) => Uint8Array {
  const roots = bocs.flatMap((boc) => Cell.fromBoc(Buffer.from(boc)))
  return (random) =>
    new Uint8Array(changed(random, random.pick(roots), roots, 6).toBoc({ idx: random.oneIn(2), crc32: random.oneIn(2) }))
}

function changed(random: Random, cell: Cell, roots: readonly Cell[], depth: number): Cell {
  const refs = cell.refs.map((ref) => (depth > 0 && random.oneIn(2) ? changed(random, ref, roots, depth - 1) : ref))
  const what = random.below(8)
  if (what === 0) refs.pop()
  if (what === 1 && refs.length < 4) refs.push(random.pick(roots))
  if (what === 2) refs.reverse()
  const builder = beginCell().storeBits(what > 5 ? cell.bits : changedBits(random, cell.bits))
  for (const ref of refs) builder.storeRef(ref)
  return builder.endCell()
}

function changedBits(random: Random, bits: BitString): BitString {
  const bytes = Buffer.alloc(Math.ceil(bits.length / 8))
  for (let i = 0; i < bits.length; i++) if (bits.at(i)) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (0x80 >> (i & 7))
  for (let changes = 1 + random.below(4); changes > 0 && bytes.length > 0; changes--) {
    const at = random.below(bytes.length)
    bytes[at] = random.oneIn(2) ? random.u32() & 0xff : (bytes[at] ?? 0) ^ (1 << random.below(8))
  }
  // Sometimes cut short.
  return new BitString(bytes, 0, random.oneIn(6) ? random.below(bits.length + 1) : bits.length)
}
