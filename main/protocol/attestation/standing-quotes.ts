import { setImmediate } from 'node:timers/promises'
import { asError } from '../../base/failure.ts'
import type { Policy } from './policy.ts'
import type { QuoteJudge } from './quote-verifier.ts'
import type { VerifiedQuote } from './verify-quote.ts'

interface Standing {
  readonly judge: QuoteJudge
  readonly quote: VerifiedQuote
  readonly leave: (reason: Error) => void
}

/** Quotes of peers that passed, while their connections stand, which may be for weeks: Intel may say otherwise of a machine since. */
export class StandingQuotes {
  readonly #standing = new Set<Standing>()

  /**
   * Takes a peer that passed; one without a real quote owes none.
   * @param leave ends its connection, with the reason
   * @returns forgets the peer
   */
  add(policy: Policy, quote: VerifiedQuote | undefined, leave: Standing['leave']): () => void {
    const judge = policy.kind === 'any' ? undefined : policy.quotes
    if (judge === undefined || quote === undefined) return () => undefined
    const one: Standing = { judge, quote, leave }
    this.#standing.add(one)
    return () => void this.#standing.delete(one)
  }

  /** Verifies all of them again, and leaves whoever's holds no more. Never rejects. */
  async look(): Promise<void> {
    for (const one of [...this.#standing]) {
      // A port may have thousands: whoever else waits for this process comes in between.
      await setImmediate()
      if (!this.#standing.has(one)) continue
      try {
        await one.judge.verify(one.quote.evidence.quote)
      } catch (thrown) {
        one.leave(asError(thrown))
      }
    }
  }
}
