import { handshakeFailure } from '../protocol/handshake/proxy-words.ts'

/** What the user allows: one account, with so many nanoton on it. */
export interface Agreement {
  readonly topUp: bigint
}

/**
 * The user's agreement to open an account, from the one who gives it to the connection that waits for it. One agreement opens one account, but
 * for one that was given in advance.
 */
export class Consent {
  readonly #inAdvance: Agreement | undefined
  #given: Agreement | undefined
  readonly #waiting = new Set<(agreement: Agreement) => void>()

  /** @param topUp nanoton for every account that has to be opened; undefined = each one is asked for */
  constructor(topUp?: bigint) {
    this.#inAdvance = topUp === undefined ? undefined : { topUp }
  }

  /** For the connection that has waited longest, or the next one that needs one. */
  give(agreement: Agreement): void {
    const [first] = this.#waiting
    if (first === undefined) this.#given = agreement
    else first(agreement)
  }

  /** An agreement that was not needed, or given up, must not open another account later. */
  takeBack(): void {
    this.#given = undefined
  }

  /**
   * Waits for an agreement and uses it up.
   * @param limitMs undefined = until `signal` aborts
   * @throws Failure `handshake-failed` when there was none in time
   */
  async wait(limitMs: number | undefined, signal: AbortSignal): Promise<Agreement> {
    if (this.#inAdvance !== undefined) return this.#inAdvance
    const limit = limitMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
    const given = limit.aborted ? undefined : (this.#take() ?? (await this.#next(limit)))
    if (given === undefined) throw handshakeFailure('The connection ended before an account was opened.')
    return given
  }

  #take(): Agreement | undefined {
    const given = this.#given
    this.#given = undefined
    return given
  }

  #next(limit: AbortSignal): Promise<Agreement | undefined> {
    return new Promise((resolve) => {
      const end = (agreement?: Agreement): void => {
        this.#waiting.delete(end)
        limit.removeEventListener('abort', onAbort)
        resolve(agreement)
      }
      const onAbort = (): void => end()
      this.#waiting.add(end)
      limit.addEventListener('abort', onAbort)
    })
  }
}
