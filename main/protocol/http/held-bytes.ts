/**
 * Bytes that wait for more: appended at the end, dropped at the start. However small the pieces are, each byte is copied only a few times.
 * Views that were handed out stay as they are.
 */
export class HeldBytes {
  #buffer: Uint8Array = new Uint8Array(0)
  #from = 0
  #to = 0

  get length(): number {
    return this.#to - this.#from
  }

  /** All that is held. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to)
  }

  append(chunk: Uint8Array): void {
    if (this.#to + chunk.length > this.#buffer.length) {
      const held = this.bytes
      // Mostly a chunk is taken whole: room is made only where something is left. Never in place: views may show what was there.
      const grown = new Uint8Array(held.length === 0 ? chunk.length : 2 * (held.length + chunk.length))
      grown.set(held)
      this.#buffer = grown
      this.#from = 0
      this.#to = held.length
    }
    this.#buffer.set(chunk, this.#to)
    this.#to += chunk.length
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#from += count
  }
}
