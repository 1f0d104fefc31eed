/**
 * SHA-256 of 24 bytes (salt ‖ nonce) for searching: a WebAssembly function, assembled for one salt, that hashes four nonces at a time in
 * vector registers and computes only the second word of the digest, which holds the bits that a difficulty up to 32 asks about (10 §5).
 * Node's own SHA-256 is an order of magnitude slower here, since most of a call is not hashing.
 */

/** Looks through `count` (a multiple of 4) nonces from `first`, all below 2^32; returns how far behind `first` the smallest good one is, or -1. */
export type NonceSearch = (first: number, count: number) => number

/**
 * @param salt 16 bytes
 * @param difficulty leading zero bits, 0 to 32
 */
export function compileSearch(salt: Uint8Array, difficulty: number): NonceSearch {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(assemble(searchBody(salt, difficulty))))
  const { search } = instance.exports
  if (typeof search !== 'function') throw new TypeError('the assembled module has no function')
  return (first, count) => Number(search(first, count))
}

/** The few parts that are used here; the type library of Node has none. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> }
}

/** FIPS 180-4 §4.2.2 and §5.3.3: first 32 bits of the fractions of the cube and square roots of the first primes. */
const roundConstants = firstPrimes(64).map((prime) => rootFraction(prime, 3n))
const initialState = firstPrimes(8).map((prime) => rootFraction(prime, 2n))

function firstPrimes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return found
}

function rootFraction(prime: number, degree: bigint): number {
  const target = BigInt(prime) << (32n * degree)
  let low = 0n
  let high = 1n << 40n
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    if (middle ** degree <= target) low = middle
    else high = middle
  }
  return Number(BigInt.asIntN(32, low))
}

/** Byte order of a word reversed. */
function swapped(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}

const op = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  if: [0x04, 0x40],
  end: [0x0b],
  return: [0x0f],
  i32Add: [0x6a],
  i32Ctz: [0x68],
  i32LtU: [0x49],
  splat: [0xfd, 0x11],
  swizzle: [0xfd, 0x0e],
  eq: [0xfd, 0x37],
  and: [0xfd, 0x4e],
  or: [0xfd, 0x50],
  xor: [0xfd, 0x51],
  select: [0xfd, 0x52],
  anyTrue: [0xfd, 0x53],
  bitmask: [0xfd, 0xa4, 0x01],
  shl: [0xfd, 0xab, 0x01],
  shr: [0xfd, 0xad, 0x01],
  add: [0xfd, 0xae, 0x01],
} as const

/** A 32-bit word in each lane: known while assembling, or held in a local. */
type Lane = { readonly known: number } | { readonly local: number }
type Code = number[]

const get = (local: number): Code => [0x20, ...unsigned(local)]
const set = (local: number): Code => [0x21, ...unsigned(local)]
const i32 = (value: number): Code => [0x41, ...signed(value)]
const bytes16 = (bytes: readonly number[]): Code => [0xfd, 0x0c, ...bytes]
const lanes = (...words: readonly number[]): Code =>
  bytes16(words.flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24]))
const load = (lane: Lane): Code => ('local' in lane ? get(lane.local) : lanes(lane.known, lane.known, lane.known, lane.known))
const rotated = (local: number, by: number): Code => [
  ...[...get(local), ...i32(by), ...op.shr],
  ...[...get(local), ...i32(32 - by), ...op.shl],
  ...op.or,
]
const shifted = (local: number, by: number): Code => [...get(local), ...i32(by), ...op.shr]
const xorOf3 = (a: Code, b: Code, c: Code): Code => [...a, ...b, ...op.xor, ...c, ...op.xor]

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by))
const smallSigma0: Sigma = [7, 18, 3]
const smallSigma1: Sigma = [17, 19, 10]
type Sigma = readonly [number, number, number]

/** A term of the message schedule (FIPS 180-4 §4.1.2): code, or a number where the input is known. */
function smallSigma([r1, r2, s]: Sigma, lane: Lane): Code | number {
  if ('known' in lane) return rotate(lane.known, r1) ^ rotate(lane.known, r2) ^ (lane.known >>> s)
  return xorOf3(rotated(lane.local, r1), rotated(lane.local, r2), shifted(lane.local, s))
}

/** Code for the sum of all terms; the numbers among them are added here. */
function sumOf(terms: readonly (Code | number)[]): { code: Code; known: number; hasCode: boolean } {
  let known = 0
  const parts: Code[] = []
  for (const term of terms) {
    if (typeof term === 'number') known = (known + term) | 0
    else parts.push(term)
  }
  if (known !== 0 || parts.length === 0) parts.push(load({ known }))
  return {
    code: parts.flatMap((part, i) => (i === 0 ? part : [...part, ...op.add])),
    known,
    hasCode: parts.length > (known !== 0 ? 1 : 0),
  }
}

const term = (lane: Lane | undefined): Code | number => (lane === undefined ? 0 : 'known' in lane ? lane.known : get(lane.local))

const first = 0
const count = 1
const done = 2
const firstVector = 3
const vectors = 8 + 16

function searchBody(salt: Uint8Array, difficulty: number): Code {
  const view = new DataView(salt.buffer, salt.byteOffset, 16)
  const known = (word: number): Lane => ({ known: word | 0 })
  const words: Lane[] = [0, 4, 8, 12].map((at) => known(view.getUint32(at)))
  words.push(
    { local: firstVector + 8 + 4 },
    known(0),
    known(0x8000_0000),
    ...Array.from({ length: 8 }, () => known(0)),
    known(24 * 8),
  )
  const state: number[] = Array.from({ length: 8 }, (_, i) => firstVector + i)
  // The asked bits are the last bytes of the word, most significant bit of the last byte first.
  const mask = difficulty === 0 ? 0 : swapped(-1 << (32 - difficulty))

  const code: Code = [...op.loop]
  const emit = (...parts: readonly (readonly number[])[]): void => {
    for (const part of parts) for (const byte of part) code.push(byte)
  }
  emit(get(first), get(done), op.i32Add, op.splat, lanes(0, 1, 2, 3), op.add)
  emit(bytes16([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]), op.swizzle, set(firstVector + 8 + 4))
  for (const [i, local] of state.entries()) emit(load(known(initialState[i] ?? 0)), set(local))

  // The 64th round would only move the wanted word to its place.
  for (let i = 0; i < 63; i++) {
    if (i >= 16) {
      const [w16, w15, w7, w2] = [words[i - 16], words[i - 15], words[i - 7], words[i - 2]]
      if (!w15 || !w2) throw new TypeError('the message schedule starts at 16')
      const sum = sumOf([term(w16), smallSigma(smallSigma0, w15), term(w7), smallSigma(smallSigma1, w2)])
      const local = firstVector + 8 + (i % 16)
      if (sum.hasCode) emit(sum.code, set(local))
      words.push(sum.hasCode ? { local } : known(sum.known))
    }
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
    const bigSigma1 = xorOf3(rotated(e, 6), rotated(e, 11), rotated(e, 25))
    const choice = [...get(f), ...get(g), ...get(e), ...op.select]
    emit(sumOf([get(h), bigSigma1, choice, roundConstants[i] ?? 0, term(words[i])]).code, set(h))
    emit(get(d), get(h), op.add, set(d))
    const bigSigma0 = xorOf3(rotated(a, 2), rotated(a, 13), rotated(a, 22))
    const majority = [...get(c), ...get(b), ...get(a), ...get(b), ...op.xor, ...op.select]
    emit(sumOf([get(h), bigSigma0, majority]).code, set(h))
    state.unshift(state.pop() ?? 0)
  }

  const [wanted = 0, spare = 0] = state
  emit(get(wanted), load(known(initialState[1] ?? 0)), op.add, load(known(mask)), op.and, load(known(0)), op.eq, set(spare))
  emit(get(spare), op.anyTrue, op.if, get(done), get(spare), op.bitmask, op.i32Ctz, op.i32Add, op.return, op.end)
  emit(get(done), i32(4), op.i32Add, set(done), get(done), get(count), op.i32LtU, [0x0d, 0x00], op.end)
  emit(i32(-1), op.end)
  return code
}

/** A module with one exported function `search: (i32, i32) -> i32` that has one i32 and the vector locals. */
function assemble(body: Code): Uint8Array<ArrayBuffer> {
  const sized = (content: Code): Code => [...unsigned(content.length), ...content]
  const name = [...new TextEncoder().encode('search')]
  const code = [0x02, 0x01, 0x7f, ...unsigned(vectors), 0x7b].concat(body)
  return Uint8Array.from(
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00].concat(
      [0x01, ...sized([0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f])],
      [0x03, ...sized([0x01, 0x00])],
      [0x07, ...sized([0x01, ...sized(name), 0x00, 0x00])],
      [0x0a],
      sized([0x01].concat(sized(code))),
    ),
  )
}

function unsigned(value: number): Code {
  const out: Code = []
  let rest = value
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  out.push(rest)
  return out
}

function signed(value: number): Code {
  const out: Code = []
  let rest = value
  for (;;) {
    const byte = rest & 0x7f
    rest >>= 7
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) {
      out.push(byte)
      return out
    }
    out.push(byte | 0x80)
  }
}
