/** Small pieces cost more: measured on a processor, 32 tokens at a time took 1.25 times the work of 512, 64 took 1.05, 128 took 1.01. */
const paces = {
  /** Others wait for each piece. */
  shared: { ms: 200, least: 32 },
  /** Nobody waits; but what is stopped goes on to the end of its piece, and the next answer begins only then. */
  alone: { ms: 1_000, least: 64 },
} as const

/** Into how large pieces a prompt is cut, so that other answers go on and an abort frees its place soon. Learns how fast this machine reads. */
export class PromptPace {
  readonly #largest: number
  #tokensPerMs = 64 / paces.shared.ms

  /** @param batchSize the most that the library reads at once, in tokens */
  constructor(batchSize: number) {
    this.#largest = batchSize
  }

  /** The most tokens for the next piece. */
  tokens(isAlone: boolean): number {
    const { ms, least } = isAlone ? paces.alone : paces.shared
    return Math.min(Math.max(least, Math.round(this.#tokensPerMs * ms)), Math.max(this.#largest, least))
  }

  /** A piece was read; one slow piece counts half, and no guess grows to more than the double. */
  measured(tokens: number, ms: number): void {
    const seen = tokens / Math.max(ms, 1)
    this.#tokensPerMs = Math.min((this.#tokensPerMs + seen) / 2, this.#tokensPerMs * 2)
  }
}
