/** Bytes on their way to one reader, in order, with a bound on how much may wait. */
export class BodyQueue implements AsyncIterable<Uint8Array> {
  readonly #mostBytes: number
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** False when the reader is too slow and the chunk was not taken. */
  push(chunk: Uint8Array): boolean {
    if (this.#ended || chunk.length === 0) return true
    if (this.#bytes + chunk.length > this.#mostBytes) return false
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.#wake?.()
    return true
  }

  /** No more bytes; with an error the reader sees it after the bytes that came before. Only the first call counts. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#bytes -= chunk.length
        yield chunk
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#wake = undefined
      }
    }
  }
}
