/** A time that is given once and can only be shortened. Holds no process open. */
export class Grace {
  readonly #over = new AbortController()
  #endsAtMs = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number) {
    this.atMost(ms)
  }

  /** Aborts when the time is over. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** @param ms from now */
  atMost(ms: number): void {
    const endsAtMs = performance.now() + ms
    if (endsAtMs >= this.#endsAtMs) return
    this.#endsAtMs = endsAtMs
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#over.abort(), ms).unref()
  }
}
