/** Bytes on their way to one reader, in order, with a bound on how much may wait. */
export class BodyQueue implements AsyncIterable<Uint8Array> {
  readonly #mostBytes: number
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #released = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  /** @param mostBytes how much may wait; one piece always fits */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** Adds bytes. False, and nothing added, when too much waits already: the reader is too slow. */
  push(chunk: Uint8Array): boolean {
    if (this.#ended || chunk.length === 0) return true
    if (this.#bytes > 0 && this.#bytes + chunk.length > this.#mostBytes && !this.#released) return false
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.#wake?.()
    return true
  }

  /** Lifts the bound: what still comes is little, and must not wait for a reader who left. */
  release(): void {
    this.#released = true
  }

  /** No more bytes; with an error the reader sees it after the bytes that came before. Only the first call counts. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#wake?.()
  }

  /** For one reader, who asks for the next part when it has the last one. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#next() }
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const [first] = this.#chunks
      if (first !== undefined) {
        // What came together is read together.
        const value = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
        this.#chunks.length = 0
        this.#bytes = 0
        return { done: false, value }
      }
      if (this.#ended) {
        if (this.#error !== undefined) throw this.#error
        return { done: true, value: undefined }
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }
}
