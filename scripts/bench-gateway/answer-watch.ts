/** How long an answer took, seen from where it was asked. */
export interface Timed {
  readonly firstMs: number
  readonly perTokenMs: number
}

/** Notes when the first word and the last one came; begins when it is made. */
export class AnswerWatch {
  readonly #startedAt = performance.now()
  #firstAt = 0
  #lastAt = 0
  #words = 0

  /** Any piece of an event stream: the first event only names the role. */
  saw(text: string): void {
    this.words(text.split('"content":"').length - 1 - (text.includes('"role"') ? 1 : 0))
  }

  words(count: number): void {
    if (count <= 0) return
    this.#lastAt = performance.now()
    if (this.#words === 0) this.#firstAt = this.#lastAt
    this.#words += count
  }

  get seen(): number {
    return this.#words
  }

  get timed(): Timed {
    if (this.#words === 0) throw new Error('An answer came without a word.')
    return {
      firstMs: this.#firstAt - this.#startedAt,
      perTokenMs: (this.#lastAt - this.#firstAt) / Math.max(1, this.#words - 1),
    }
  }
}
