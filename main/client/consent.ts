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
  #given = Promise.withResolvers<Agreement>()

  /** @param topUp nanoton for every account that has to be opened; undefined = each one is asked for */
  constructor(topUp?: bigint) {
    this.#inAdvance = topUp === undefined ? undefined : { topUp }
  }

  /** For the next connection that needs one. */
  give(agreement: Agreement): void {
    this.#given.resolve(agreement)
  }

  /** An agreement that was not needed, or given up, must not open another account later. */
  takeBack(): void {
    this.#given = Promise.withResolvers()
  }

  /**
   * Waits for an agreement and uses it up.
   * @param limitMs undefined = until `signal` aborts
   * @throws Failure `handshake-failed` when there was none in time
   */
  async wait(limitMs: number | undefined, signal: AbortSignal): Promise<Agreement> {
    if (this.#inAdvance !== undefined) return this.#inAdvance
    const limit = limitMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
    const given = await Promise.race([
      this.#given.promise,
      new Promise<undefined>((resolve) => limit.addEventListener('abort', () => resolve(undefined), { once: true })),
    ])
    if (given === undefined || signal.aborted) throw handshakeFailure('The connection ended before an account was opened.')
    this.takeBack()
    return given
  }
}
