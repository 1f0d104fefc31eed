/**
 * Work that may wait a moment, so that many reasons for it make one run: a database commit for a hundred requests. Whoever ends calls `now`.
 */
export class Soon {
  readonly #delayMs: number
  readonly #work: () => void
  readonly #onError: (thrown: unknown) => void
  #timer: NodeJS.Timeout | undefined

  /** @param onError told when the work threw in its own time; `now` throws to its caller instead */
  constructor(delayMs: number, work: () => void, onError: (thrown: unknown) => void) {
    this.#delayMs = delayMs
    this.#work = work
    this.#onError = onError
  }

  /** The work runs within the delay. */
  ask(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      try {
        this.#work()
      } catch (thrown) {
        this.#onError(thrown)
      }
    }, this.#delayMs)
  }

  /** Runs the work at once if it was asked for; throws what it throws. */
  now(): void {
    if (this.#timer === undefined) return
    this.forget()
    this.#work()
  }

  /** The work has been done by other means. */
  forget(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
