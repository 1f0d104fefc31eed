const windowMs = 600_000

/** Exponentially decaying mean and counts over about ten minutes (50 §3). Times in ms of one monotone clock. */
export class DecayingWindow {
  #weight = 0
  #sum = 0
  #lastMs: number

  constructor(nowMs: number) {
    this.#lastMs = nowMs
  }

  #decay(nowMs: number): void {
    const factor = Math.exp(-Math.max(0, nowMs - this.#lastMs) / windowMs)
    this.#weight *= factor
    this.#sum *= factor
    this.#lastMs = nowMs
  }

  add(value: number, nowMs: number): void {
    this.#decay(nowMs)
    this.#weight += 1
    this.#sum += value
  }

  /** Number of samples, old ones counting less. */
  weight(nowMs: number): number {
    this.#decay(nowMs)
    return this.#weight
  }

  sum(nowMs: number): number {
    this.#decay(nowMs)
    return this.#sum
  }

  /** Undefined while hardly anything is known. */
  mean(nowMs: number): number | undefined {
    this.#decay(nowMs)
    return this.#weight < 0.01 ? undefined : this.#sum / this.#weight
  }
}
