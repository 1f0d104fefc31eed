const freeTries = 2
const firstPauseMs = 60_000
const longestPauseMs = 3_600_000

/**
 * How often an account may be registered on chain without the proxy letting it in. Each registration costs fees, and the proxy alone decides if
 * it asks for one (protocol 30 §3.3): one that asks at every connection would empty the wallet slowly. Times in ms of one clock.
 */
export class RegistrationPace {
  readonly #tries = new Map<string, { count: number; lastMs: number }>()

  /** How long to wait before the next registration of this contract; 0 = none. The pause doubles with each one that came to nothing. */
  waitMs(contract: string, nowMs: number): number {
    const tries = this.#tries.get(contract)
    if (tries === undefined || tries.count < freeTries) return 0
    const pauseMs = Math.min(firstPauseMs * 2 ** (tries.count - freeTries), longestPauseMs)
    return Math.max(0, tries.lastMs + pauseMs - nowMs)
  }

  sent(contract: string, nowMs: number): void {
    this.#tries.set(contract, { count: (this.#tries.get(contract)?.count ?? 0) + 1, lastMs: nowMs })
  }

  accepted(contract: string): void {
    this.#tries.delete(contract)
  }
}
