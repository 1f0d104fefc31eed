const windowMs = 3000
const reportEveryMs = 200

/** Speed of a transfer over the last seconds, and a brake for how often it is reported. */
export class SpeedMeter {
  readonly #now: () => number
  #samples: { atMs: number; bytes: number }[] = []
  #reportedAtMs = Number.NEGATIVE_INFINITY

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Takes the bytes received so far; true when it is time to report. A falling count means that another transfer began. */
  add(bytes: number): boolean {
    const atMs = this.#now()
    const last = this.#samples.at(-1)
    if (last !== undefined && bytes < last.bytes) this.#samples = []
    if (last === undefined || bytes < last.bytes || atMs - last.atMs > 50) this.#samples.push({ atMs, bytes })
    while ((this.#samples[0]?.atMs ?? atMs) < atMs - windowMs) this.#samples.shift()
    if (atMs - this.#reportedAtMs < reportEveryMs && (last === undefined || bytes >= last.bytes)) return false
    this.#reportedAtMs = atMs
    return true
  }

  get bytesPerSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
    return Math.round(((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000)
  }
}
