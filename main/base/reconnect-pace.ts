/** The first pause is this part of the longest one. */
const firstPart = 1 / 16
/** A connection that was good for this part of the longest pause starts the row anew. */
const goodPart = 1 / 10

/**
 * Pauses between the attempts to reach one peer: short after a good connection, so that a peer that restarts has everybody back soon, and
 * twice as long after each failure, up to `longestMs`. Spread at random, so that not everybody comes at once.
 */
export class ReconnectPace {
  readonly #longestMs: number
  readonly #random: () => number
  #failures = 0

  constructor(longestMs: number, random: () => number = Math.random) {
    this.#longestMs = longestMs
    this.#random = random
  }

  /** Attempts in a row that came to nothing. */
  get failures(): number {
    return this.#failures
  }

  /** An attempt has ended. @param goodMs how long the connection was of use; 0 when it never was. Returns the pause before the next, ms. */
  ended(goodMs: number): number {
    if (goodMs > this.#longestMs * goodPart) this.#failures = 0
    const pauseMs = Math.min(this.#longestMs, this.#longestMs * firstPart * 2 ** this.#failures)
    this.#failures += 1
    return pauseMs * (0.5 + this.#random() / 2)
  }
}
