import type { Random } from './random.ts'

/** Longest input that is tried. */
export const mostInputBytes = 64 * 1024

/** Numbers at which lengths, counts and signs change their meaning. */
const edges = [
  0, 1, 2, 3, 4, 5, 7, 8, 16, 63, 64, 65, 127, 128, 252, 253, 254, 255, 256, 1023, 65_535, 65_536, 0xfffffe, 0xffffff,
]
const wideEdges = [...edges, 0x1000000, 0x1000001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]

/**
 * A new input from good ones: bits and bytes changed, lengths and counts set to their edges, parts cut out, doubled, or taken from another
 * input, pieces of a dictionary put in. Once in a while random bytes alone.
 */
export function mutate(random: Random, corpus: readonly Uint8Array[], dictionary: readonly Uint8Array[]): Uint8Array {
  if (corpus.length === 0 || random.oneIn(32)) return random.bytes(random.below(random.oneIn(8) ? 2_000 : 100))
  let bytes: Uint8Array = random.pick(corpus).slice()
  for (let changes = 1 + random.below(random.oneIn(4) ? 16 : 3); changes > 0; changes--)
    bytes = change(random, bytes, corpus, dictionary)
  return bytes.length > mostInputBytes ? bytes.slice(0, mostInputBytes) : bytes
}

function change(random: Random, bytes: Uint8Array, corpus: readonly Uint8Array[], dictionary: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1)
  switch (random.below(12)) {
    case 0:
      return withByte(bytes, at, (byte) => byte ^ (1 << random.below(8)))
    case 1:
      return withByte(bytes, at, () => random.u32() & 0xff)
    case 2:
      return withByte(bytes, at, () => random.pick(edges) & 0xff)
    case 3:
      return withNumber(bytes, at & ~3, random.pick(wideEdges))
    case 4:
      return withNumber(bytes, at, random.pick(wideEdges))
    case 5:
      return bytes.subarray(0, at)
    case 6:
      return joined(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + random.below(32))))
    case 7: {
      const part = bytes.subarray(at, at + random.below(64))
      return joined(
        bytes.subarray(0, at),
        ...Array.from({ length: 1 + random.below(random.oneIn(8) ? 200 : 4) }, () => part),
        bytes.subarray(at),
      )
    }
    case 8: {
      const other = random.pick(corpus)
      return joined(bytes.subarray(0, at), other.subarray(random.below(other.length + 1)))
    }
    case 9:
      return joined(bytes.subarray(0, at), random.bytes(random.below(24)), bytes.subarray(at))
    case 10:
      return dictionary.length === 0 ? bytes : joined(bytes.subarray(0, at), random.pick(dictionary), bytes.subarray(at))
    default: {
      if (dictionary.length === 0) return bytes
      const word = random.pick(dictionary)
      return joined(bytes.subarray(0, at), word, bytes.subarray(Math.min(bytes.length, at + word.length)))
    }
  }
}

function withByte(bytes: Uint8Array, at: number, next: (byte: number) => number): Uint8Array {
  const old = bytes[at]
  if (old !== undefined) bytes[at] = next(old)
  return bytes
}

function withNumber(bytes: Uint8Array, at: number, value: number): Uint8Array {
  if (at + 4 <= bytes.length) new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true)
  return bytes
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
