/** Ends a connection on which nothing came for too long. */
export class Watchdog {
  readonly #connection = new AbortController()
  #timer: NodeJS.Timeout | undefined

  /** For what runs over the connection. */
  get signal(): AbortSignal {
    return this.#connection.signal
  }

  /** From now on so much silence is too long. */
  wind(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#connection.abort(new Error('no answer in time')), ms)
  }

  /** Nothing more is expected: what still comes is given up. */
  end(): void {
    clearTimeout(this.#timer)
    this.#connection.abort()
  }
}
