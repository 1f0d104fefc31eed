import { pause } from '../base/pause.ts'

/** Lets bytes through at a steady pace, shared by all connections of a download. */
export class RateLimit {
  readonly #bytesPerSecond: () => number | null
  readonly #now: () => number
  #freeAtMs = 0

  /** @param bytesPerSecond asked each time, so that a change of the setting counts at once; null for no limit */
  constructor(bytesPerSecond: () => number | null, now: () => number = () => performance.now()) {
    this.#bytesPerSecond = bytesPerSecond
    this.#now = now
  }

  /** Resolves when `bytes` more may be taken. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const rate = this.#bytesPerSecond()
    if (rate === null) return
    const now = this.#now()
    const start = Math.max(now, this.#freeAtMs)
    this.#freeAtMs = start + (bytes / rate) * 1000
    if (start > now) await pause(start - now, signal)
  }
}

export const unlimited = new RateLimit(() => null)
