import { createHash } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'
import type { CollateralSource } from './collateral-cache.ts'
import { chainNames, type TrustedRoots, verifyChain } from './intel-chain.ts'
import { openQuote, type VerifiedQuote, verifyQuote } from './verify-quote.ts'

/** Verifies quotes, whichever way it gets what it needs. */
export interface QuoteJudge {
  /** @throws AttestationError */
  verify(quote: Uint8Array): Promise<VerifiedQuote>
}

/** No verification counts for longer: an hour. */
export const rememberedMs = 3_600_000

export interface QuoteVerifierOptions {
  readonly collateral: CollateralSource
  /** Trusted root keys. */
  readonly roots: TrustedRoots
  /** Unix ms. */
  readonly now?: () => number
  /** Verified quotes that are remembered; 1000. */
  readonly mostRemembered?: number
  /** How long one is remembered at most: a newer word of Intel's is heard after it. `rememberedMs`. */
  readonly rememberMs?: number
}

interface Remembered {
  readonly verified: VerifiedQuote
  readonly untilMs: number
}

/**
 * Verifies quotes with collateral from a source, and remembers the good ones by their SHA-256, never beyond the end of their collateral
 * (unlike the reference, 10 §11). Which key a quote belongs to is for the caller to check, each time.
 */
export class QuoteVerifier implements QuoteJudge {
  readonly #options: QuoteVerifierOptions
  readonly #roots: TrustedRoots
  readonly #now: () => number
  readonly #remembered = new Map<string, Remembered>()
  readonly #running = new Map<string, Promise<VerifiedQuote>>()

  constructor(options: QuoteVerifierOptions) {
    this.#options = options
    this.#roots = options.roots
    this.#now = options.now ?? Date.now
  }

  get rememberedCount(): number {
    return this.#remembered.size
  }

  verify(quote: Uint8Array): Promise<VerifiedQuote> {
    const digest = createHash('sha256').update(quote).digest('hex')
    const known = this.#recall(digest)
    if (known !== undefined) return Promise.resolve(known)
    const running = this.#running.get(digest)
    if (running !== undefined) return running
    const fresh = this.#verify(quote).finally(() => this.#running.delete(digest))
    this.#running.set(digest, fresh)
    return fresh
  }

  async #verify(quote: Uint8Array): Promise<VerifiedQuote> {
    const { pckChain, platform } = openQuote(quote)
    // Only a platform of Intel's is worth asking the network about: a stranger shall not choose what is asked.
    verifyChain(pckChain, chainNames.pck, this.#roots, this.#now())
    const verified = await this.#options.collateral.with(platform, (collateral) =>
      verifyQuote(quote, collateral, this.#now(), this.#roots),
    )
    this.#remember(verified)
    return verified
  }

  #recall(digest: string): VerifiedQuote | undefined {
    const known = this.#remembered.get(digest)
    if (known === undefined) return undefined
    const nowMs = this.#now()
    // By a clock that was put back nobody knows how long ago it was verified.
    if (nowMs > known.untilMs || nowMs < known.verified.verifiedAtMs) {
      this.#remembered.delete(digest)
      return undefined
    }
    // Behind the others: the one that was not asked for for longest goes first.
    this.#remembered.delete(digest)
    this.#remembered.set(digest, known)
    return known.verified
  }

  #remember(verified: VerifiedQuote): void {
    const { mostRemembered = 1_000, rememberMs = rememberedMs } = this.#options
    const untilMs = Math.min(verified.verifiedAtMs + rememberMs, verified.collateral.expiresAtMs)
    this.#remembered.set(verified.quoteDigest, { verified, untilMs })
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= mostRemembered) break
      this.#remembered.delete(oldest)
    }
  }
}

/** For a place that has no collateral: every real quote is refused. */
export const noQuoteJudge: QuoteJudge = {
  verify: async () => {
    throw new AttestationError('collateral-unavailable', 'There is no source of Intel’s collateral', {
      advice: 'Name one with --pccs.',
    })
  },
}
