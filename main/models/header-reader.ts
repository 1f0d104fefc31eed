/** The bytes at hand end before the header does: read more of the file and begin again. */
export class NeedMoreBytes extends Error {
  constructor() {
    super('more of the header is needed')
    this.name = 'NeedMoreBytes'
  }
}

/** The file says something that cannot be true. */
export class BadHeader extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BadHeader'
  }
}

/**
 * Reads little-endian values from the beginning of a file of `fileBytes`, of which `bytes` is the part in memory. Nothing is read or
 * allocated beyond the end of the file, whatever the lengths in it claim.
 */
export class HeaderReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #fileBytes: number
  #at = 0

  constructor(bytes: Uint8Array, fileBytes: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#fileBytes = fileBytes
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#fileBytes - this.#at
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }
  /** A count or size: 64 bits in the file, but never more than a number holds exactly. */
  u64(what: string): number {
    const value = this.#view.getBigUint64(this.#take(8), true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BadHeader(`${what} is impossibly large.`)
    return Number(value)
  }
  /** A number of a metadata value; 64-bit values beyond exactness are rounded, as they are not used for sizes. */
  number(type: number): number {
    switch (type) {
      case 0:
        return this.u8()
      case 1:
        return this.#view.getInt8(this.#take(1))
      case 2:
        return this.#view.getUint16(this.#take(2), true)
      case 3:
        return this.#view.getInt16(this.#take(2), true)
      case 4:
        return this.u32()
      case 5:
        return this.#view.getInt32(this.#take(4), true)
      case 6:
        return this.#view.getFloat32(this.#take(4), true)
      case 10:
        return Number(this.#view.getBigUint64(this.#take(8), true))
      case 11:
        return Number(this.#view.getBigInt64(this.#take(8), true))
      case 12:
        return this.#view.getFloat64(this.#take(8), true)
      default:
        throw new BadHeader('It contains a value of an unknown type.')
    }
  }

  text(what: string, most: number): string {
    const length = this.u64(what)
    if (length > most) throw new BadHeader(`${what} is impossibly long.`)
    const from = this.#take(length)
    return new TextDecoder().decode(this.#bytes.subarray(from, from + length))
  }

  /** A text as the native library takes it: its bytes to the first zero among them, a letter for each, so that equal ones are equal and others are not. */
  bytesToZero(what: string): string {
    const length = this.u64(what)
    const from = this.#take(length)
    const bytes = this.#bytes.subarray(from, from + length)
    const zero = bytes.indexOf(0)
    return Buffer.from(bytes.buffer, bytes.byteOffset, zero < 0 ? length : zero).toString('latin1')
  }

  /** Passes over `length` bytes that need not be in memory. */
  skip(length: number): void {
    if (length > this.left) throw new BadHeader('It ends in the middle of its header: the file is cut off.')
    this.#at += length
  }

  #take(length: number): number {
    const from = this.#at
    this.skip(length)
    if (this.#at > this.#bytes.length) throw new NeedMoreBytes()
    return from
  }
}
