/** Reads bytes in order; every read is bounded. Integers are little-endian. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get at(): number {
    return this.#at
  }

  /** A copy of the next bytes. @throws RangeError when there are fewer */
  take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError(`${length} bytes wanted, ${this.#bytes.length - this.#at} left`)
    // The slice of a Buffer would be the same memory.
    const part = new Uint8Array(this.#bytes.subarray(this.#at, end))
    this.#at = end
    return part
  }

  u16(): number {
    this.take(2)
    return this.#view.getUint16(this.#at - 2, true)
  }

  i32(): number {
    this.take(4)
    return this.#view.getInt32(this.#at - 4, true)
  }

  u32(): number {
    this.take(4)
    return this.#view.getUint32(this.#at - 4, true)
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at)
  }

  /** @throws RangeError when bytes are left */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError(`${this.#bytes.length - this.#at} bytes too many`)
  }
}
