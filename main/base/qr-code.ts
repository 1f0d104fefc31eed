/*
 * QR codes (ISO/IEC 18004) for a terminal or a page: text as bytes, error correction level L, versions 1 to 40. What they hold here is long, and a
 * phone reads it from a screen, where nothing is torn or dirty.
 */

/** Of level L, by version: error correction codewords a block, and blocks. */
const eccPerBlock = [
  7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30,
  30, 30, 30, 30, 30, 30, 30, 30,
]
const blocksOf = [
  1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22,
  24, 25,
]

/** A square of modules; true is dark. Row by row. */
export type QrMatrix = ReadonlyArray<readonly boolean[]>

/** The code as lines of half blocks, two rows of modules a line, with a quiet zone of four modules. Filled is dark. */
export function qrLines(text: string): string[] {
  const matrix = qrMatrix(text)
  const quiet = 4
  const dark = (x: number, y: number): boolean => matrix[y - quiet]?.[x - quiet] ?? false
  const width = matrix.length + 2 * quiet
  const lines: string[] = []
  for (let y = 0; y < width; y += 2) {
    let line = ''
    for (let x = 0; x < width; x += 1) {
      const [top, bottom] = [dark(x, y), dark(x, y + 1)]
      line += top ? (bottom ? '█' : '▀') : bottom ? '▄' : ' '
    }
    lines.push(line)
  }
  return lines
}

/** Throws RangeError for a text that no version holds (more than 2953 bytes). */
export function qrMatrix(text: string): QrMatrix {
  const bytes = new TextEncoder().encode(text)
  const version = smallestVersion(bytes.length)
  const codewords = interleaved(version, dataCodewords(version, bytes))
  const candidates = Array.from({ length: 8 }, (_, mask) => drawn(version, codewords, mask))
  const [best] = candidates.map((matrix) => ({ matrix, penalty: penaltyOf(matrix) })).sort((a, b) => a.penalty - b.penalty)
  if (best === undefined) throw new TypeError('there are eight masks')
  return best.matrix
}

function smallestVersion(length: number): number {
  for (let version = 1; version <= 40; version += 1) {
    const headerBits = 4 + (version < 10 ? 8 : 16)
    if (headerBits + 8 * length <= 8 * dataCapacity(version)) return version
  }
  throw new RangeError(`${length} bytes are too many for a QR code.`)
}

/** Codewords of data and error correction together. */
function rawCodewords(version: number): number {
  let modules = (16 * version + 128) * version + 64
  if (version >= 2) {
    const alignments = Math.floor(version / 7) + 2
    modules -= (25 * alignments - 10) * alignments - 55
    if (version >= 7) modules -= 36
  }
  return Math.floor(modules / 8)
}

function blockPlan(version: number): { readonly ecc: number; readonly blocks: number } {
  const [ecc, blocks] = [eccPerBlock[version - 1], blocksOf[version - 1]]
  if (ecc === undefined || blocks === undefined) throw new RangeError(`There is no version ${version}.`)
  return { ecc, blocks }
}

function dataCapacity(version: number): number {
  const { ecc, blocks } = blockPlan(version)
  return rawCodewords(version) - ecc * blocks
}

/** Mode, length, bytes, end, and the two fill bytes in turn. */
function dataCodewords(version: number, bytes: Uint8Array): Uint8Array {
  const bits: number[] = []
  const put = (value: number, count: number): void => {
    for (let bit = count - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1)
  }
  put(0b0100, 4)
  put(bytes.length, version < 10 ? 8 : 16)
  for (const byte of bytes) put(byte, 8)
  const capacity = 8 * dataCapacity(version)
  put(0, Math.min(4, capacity - bits.length))
  put(0, (8 - (bits.length % 8)) % 8)
  const data = new Uint8Array(capacity / 8)
  for (const [index, bit] of bits.entries()) data[index >> 3] = ((data[index >> 3] ?? 0) << 1) | bit
  for (let index = bits.length / 8, fill = 0xec; index < data.length; index += 1, fill ^= 0xec ^ 0x11) data[index] = fill
  return data
}

/** Blocks with their error correction, one codeword of each block in turn. */
function interleaved(version: number, data: Uint8Array): Uint8Array {
  const { ecc, blocks } = blockPlan(version)
  const raw = rawCodewords(version)
  const shortBlocks = blocks - (raw % blocks)
  const shortLength = Math.floor(raw / blocks) - ecc
  const divisor = generator(ecc)
  const parts: Array<{ readonly data: Uint8Array; readonly ecc: Uint8Array }> = []
  for (let block = 0, start = 0; block < blocks; block += 1) {
    const end = start + shortLength + (block < shortBlocks ? 0 : 1)
    const part = data.subarray(start, end)
    parts.push({ data: part, ecc: remainder(part, divisor) })
    start = end
  }
  const out: number[] = []
  for (let index = 0; index <= shortLength; index += 1)
    for (const part of parts) if (index < part.data.length) out.push(part.data[index] ?? 0)
  for (let index = 0; index < ecc; index += 1) for (const part of parts) out.push(part.ecc[index] ?? 0)
  return Uint8Array.from(out)
}

/** Product in the field of 256 elements with the polynomial x^8 + x^4 + x^3 + x^2 + 1. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d)
    if ((b >> bit) & 1) product ^= a
  }
  return product
}

/** Coefficients, highest first and without the leading 1, of the product of (x − 2^i) for i below `degree`. */
function generator(degree: number): Uint8Array {
  const result = new Uint8Array(degree)
  result[degree - 1] = 1
  for (let i = 0, root = 1; i < degree; i += 1, root = multiply(root, 2)) {
    for (let at = 0; at < degree; at += 1) result[at] = multiply(result[at] ?? 0, root) ^ (result[at + 1] ?? 0)
  }
  return result
}

function remainder(data: Uint8Array, divisor: Uint8Array): Uint8Array {
  const rest = [...new Uint8Array(divisor.length)]
  for (const byte of data) {
    const factor = byte ^ (rest.shift() ?? 0)
    rest.push(0)
    for (const [at, coefficient] of divisor.entries()) rest[at] = (rest[at] ?? 0) ^ multiply(coefficient, factor)
  }
  return Uint8Array.from(rest)
}

/** Centres of the alignment patterns, along one side. */
function alignments(version: number): number[] {
  if (version === 1) return []
  const count = Math.floor(version / 7) + 2
  const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2
  const size = version * 4 + 17
  return [6, ...Array.from({ length: count - 1 }, (_, index) => size - 7 - index * step).reverse()]
}

function drawn(version: number, codewords: Uint8Array, mask: number): boolean[][] {
  const size = version * 4 + 17
  const dark = Array.from({ length: size }, () => new Array<boolean>(size).fill(false))
  const fixed = Array.from({ length: size }, () => new Array<boolean>(size).fill(false))
  const set = (x: number, y: number, value: boolean): void => {
    const [row, fixedRow] = [dark[y], fixed[y]]
    if (row === undefined || fixedRow === undefined || x < 0 || x >= size) return
    row[x] = value
    fixedRow[x] = true
  }

  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0)
    set(at, 6, at % 2 === 0)
  }
  for (const [cx, cy] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const) {
    for (let dy = -4; dy <= 4; dy += 1) {
      for (let dx = -4; dx <= 4; dx += 1) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy))
        set(cx + dx, cy + dy, ring !== 2 && ring !== 4)
      }
    }
  }
  const centres = alignments(version)
  const last = centres.length - 1
  for (const [i, cx] of centres.entries()) {
    for (const [j, cy] of centres.entries()) {
      const atFinder = (i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)
      if (atFinder) continue
      for (let dy = -2; dy <= 2; dy += 1)
        for (let dx = -2; dx <= 2; dx += 1) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1)
    }
  }
  drawFormat(set, size, mask)
  if (version >= 7) drawVersion(set, size, version)

  let bit = 0
  for (let right = size - 1; right >= 1; right -= 2) {
    // The column of the timing pattern belongs to no pair.
    if (right === 6) right = 5
    for (let step = 0; step < size; step += 1) {
      const upwards = ((right + 1) & 2) === 0
      const y = upwards ? size - 1 - step : step
      for (const x of [right, right - 1]) {
        const row = dark[y]
        if (row === undefined || fixed[y]?.[x] !== false) continue
        const value = ((codewords[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1
        row[x] = (value === 1) !== masked(mask, x, y)
        bit += 1
      }
    }
  }
  return dark
}

function masked(mask: number, x: number, y: number): boolean {
  switch (mask) {
    case 0:
      return (x + y) % 2 === 0
    case 1:
      return y % 2 === 0
    case 2:
      return x % 3 === 0
    case 3:
      return (x + y) % 3 === 0
    case 4:
      return (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0
    case 5:
      return ((x * y) % 2) + ((x * y) % 3) === 0
    case 6:
      return (((x * y) % 2) + ((x * y) % 3)) % 2 === 0
    default:
      return (((x + y) % 2) + ((x * y) % 3)) % 2 === 0
  }
}

type SetModule = (x: number, y: number, dark: boolean) => void

/** Level L and the mask, with 10 bits of error correction, twice. */
function drawFormat(set: SetModule, size: number, mask: number): void {
  const data = (0b01 << 3) | mask
  let rest = data
  for (let i = 0; i < 10; i += 1) rest = (rest << 1) ^ ((rest >> 9) * 0x537)
  const bits = ((data << 10) | rest) ^ 0x5412
  const bit = (at: number): boolean => ((bits >> at) & 1) === 1
  for (let i = 0; i <= 5; i += 1) set(8, i, bit(i))
  set(8, 7, bit(6))
  set(8, 8, bit(7))
  set(7, 8, bit(8))
  for (let i = 9; i < 15; i += 1) set(14 - i, 8, bit(i))
  for (let i = 0; i < 8; i += 1) set(size - 1 - i, 8, bit(i))
  for (let i = 8; i < 15; i += 1) set(8, size - 15 + i, bit(i))
  set(8, size - 8, true)
}

/** The version with 12 bits of error correction, twice. */
function drawVersion(set: SetModule, size: number, version: number): void {
  let rest = version
  for (let i = 0; i < 12; i += 1) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25)
  const bits = (version << 12) | rest
  for (let i = 0; i < 18; i += 1) {
    const value = ((bits >> i) & 1) === 1
    const [a, b] = [size - 11 + (i % 3), Math.floor(i / 3)]
    set(a, b, value)
    set(b, a, value)
  }
}

/** How hard a matrix is to read, by the four rules of the standard. */
function penaltyOf(matrix: QrMatrix): number {
  const size = matrix.length
  const at = (x: number, y: number): boolean => matrix[y]?.[x] ?? false
  let penalty = 0
  let darkCount = 0
  for (let line = 0; line < size; line += 1) {
    for (const look of [(i: number) => at(i, line), (i: number) => at(line, i)]) {
      let text = ''
      let run = 0
      for (let i = 0; i < size; i += 1) {
        const value = look(i)
        text += value ? '1' : '0'
        run = i > 0 && value === look(i - 1) ? run + 1 : 1
        if (run === 5) penalty += 3
        else if (run > 5) penalty += 1
      }
      for (const finder of ['10111010000', '00001011101'])
        for (let found = text.indexOf(finder); found >= 0; found = text.indexOf(finder, found + 1)) penalty += 40
    }
    for (let i = 0; i < size; i += 1) {
      const value = at(i, line)
      if (value) darkCount += 1
      if (
        i + 1 < size &&
        line + 1 < size &&
        value === at(i + 1, line) &&
        value === at(i, line + 1) &&
        value === at(i + 1, line + 1)
      )
        penalty += 3
    }
  }
  const percent = (darkCount * 100) / (size * size)
  return penalty + 10 * Math.floor(Math.abs(percent - 50) / 5)
}
