import { type DeviceCode, deviceFailure } from './device-failure.ts'
import { randomWords } from './six-words.ts'

export const codeLifetimeMs = 120_000
const mostTries = 3

/** One code as the host shows it: for two minutes, one pairing and three tries. Counts a try before anything is answered for it. */
export class PairingCode {
  readonly words = randomWords()
  readonly expiresAtMs: number
  readonly #now: () => number
  #triesLeft = mostTries
  #over: DeviceCode | undefined

  /** @param now Unix time in ms */
  constructor(now: () => number, lifetimeMs: number = codeLifetimeMs) {
    this.#now = now
    this.expiresAtMs = now() + lifetimeMs
  }

  get triesLeft(): number {
    return this.#triesLeft
  }

  /** Why no further device may try it; undefined while one may. */
  get over(): DeviceCode | undefined {
    if (this.#over === undefined && this.#now() >= this.expiresAtMs) this.#over = 'pairing-expired'
    return this.#over
  }

  /**
   * Takes one try. A guesser learns from the answer whether he was right, so it counts even if his proof never comes.
   * @throws Failure why the code is over
   */
  try(): void {
    const over = this.over ?? (this.#triesLeft === 0 ? 'pairing-burned' : undefined)
    if (over !== undefined) {
      this.end(over)
      throw deviceFailure(over)
    }
    this.#triesLeft -= 1
  }

  /** A try came to nothing. */
  failed(): void {
    if (this.#triesLeft === 0) this.end('pairing-burned')
  }

  /** Nobody may try it any more; the first reason stays. */
  end(why: DeviceCode): void {
    this.#over ??= why
  }
}
