const spansMs = [1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000] as const

/** One number over time as the status pages of the network show it: total and six decaying averages (30 §8.2). */
export class Rate {
  #total = 0
  readonly #averages: number[] = spansMs.map(() => 0)
  #lastMs: number

  constructor(nowMs: number) {
    this.#lastMs = nowMs
  }

  add(amount: number, nowMs: number): void {
    this.#decay(nowMs)
    this.#total += amount
    for (let at = 0; at < spansMs.length; at++) {
      this.#averages[at] = (this.#averages[at] ?? 0) + (amount * 1000) / (spansMs[at] ?? 1)
    }
  }

  get total(): number {
    return this.#total
  }

  /** [total, then per second averaged over 1 s, 10 s, 1 min, 10 min, 1 h, 1 day]. */
  values(nowMs: number): number[] {
    this.#decay(nowMs)
    return [this.#total, ...this.#averages]
  }

  #decay(nowMs: number): void {
    const passed = Math.max(0, nowMs - this.#lastMs)
    if (passed === 0) return
    this.#lastMs = nowMs
    for (let at = 0; at < spansMs.length; at++) {
      this.#averages[at] = (this.#averages[at] ?? 0) * Math.exp(-passed / (spansMs[at] ?? 1))
    }
  }
}

export const rateNames = [
  'queries',
  'success',
  'failed',
  'rejected',
  'bytes_received',
  'bytes_sent',
  'time',
  'total_adjusted_tokens_used',
  'prompt_adjusted_tokens_used',
  'cached_adjusted_tokens_used',
  'completion_adjusted_tokens_used',
  'reasoning_adjusted_tokens_used',
] as const
export type RateName = (typeof rateNames)[number]
export type Rates = Readonly<Record<RateName, Rate>>

export function newRates(nowMs: number): Rates {
  const rate = (): Rate => new Rate(nowMs)
  return {
    queries: rate(),
    success: rate(),
    failed: rate(),
    rejected: rate(),
    bytes_received: rate(),
    bytes_sent: rate(),
    time: rate(),
    total_adjusted_tokens_used: rate(),
    prompt_adjusted_tokens_used: rate(),
    cached_adjusted_tokens_used: rate(),
    completion_adjusted_tokens_used: rate(),
    reasoning_adjusted_tokens_used: rate(),
  }
}
