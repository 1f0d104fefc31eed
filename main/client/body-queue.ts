/** How long a full queue waits for its reader, which holds up everything else on the connection. */
const patienceMs = 10_000

/** Bytes on their way to one reader, in order, with a bound on how much may wait. */
export class BodyQueue implements AsyncIterable<Uint8Array> {
  readonly #mostBytes: number
  readonly #patienceMs: number
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #released = false
  #error: Error | undefined
  #wake: (() => void) | undefined
  #room: (() => void) | undefined

  constructor(mostBytes: number, patience = patienceMs) {
    this.#mostBytes = mostBytes
    this.#patienceMs = patience
  }

  /**
   * Adds bytes. True when there is room for more, else a promise that settles when that is so, for the sender to go no faster than the
   * reader. False when the reader took nothing for too long: give it up.
   */
  push(chunk: Uint8Array): true | Promise<boolean> {
    if (this.#ended || chunk.length === 0) return true
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.#wake?.()
    if (this.#bytes <= this.#mostBytes || this.#released) return true
    return new Promise((resolve) => {
      const limit = setTimeout(() => resolve(false), this.#patienceMs)
      this.#room = () => {
        clearTimeout(limit)
        resolve(true)
      }
    })
  }

  /** Lifts the bound: what still comes is little, and must not wait for a reader who left. */
  release(): void {
    this.#released = true
    this.#room?.()
  }

  /** No more bytes; with an error the reader sees it after the bytes that came before. Only the first call counts. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#wake?.()
    this.#room?.()
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
        this.#room?.()
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
