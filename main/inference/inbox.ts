/** Messages in order for one reader, who may come later or be slower than the writer. */
export class Inbox<T> {
  readonly #messages: T[] = []
  #failure: Error | undefined
  #wake: (() => void) | undefined

  put(message: T): void {
    this.#messages.push(message)
    this.#wake?.()
  }

  /** What was put before is still read; then `take` throws. */
  fail(failure: Error): void {
    this.#failure ??= failure
    this.#wake?.()
  }

  async take(): Promise<T> {
    for (;;) {
      const message = this.#messages.shift()
      if (message !== undefined) return message
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }
}
