import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { hexOf } from '../base/hex.ts'

/** A private key that opens what was encrypted for its public one (protocol 95 §4). Never logged. */
export interface PrivateKey {
  /** Ed25519 seed, 32 bytes */
  readonly seed: Uint8Array
  /** Unix ms */
  readonly validUntilMs: number
}

interface Held extends PrivateKey {
  readonly publicHex: string
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0
/** Timers count to 2^31 ms. */
const longestTimerMs = 2 ** 31 - 1

/** Private keys by their public ones, in memory only; overwritten as soon as they expire, are left out or are no longer needed. */
export class KeyRing {
  readonly #now: () => number
  #held: Held[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param now Unix ms */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  get size(): number {
    this.#dropExpired()
    return this.#held.length
  }

  /** Takes these in place of all that were held. They are copied; the caller may overwrite its own. */
  replace(keys: readonly PrivateKey[]): void {
    const before = this.#held
    this.#held = []
    for (const { seed, validUntilMs } of keys) {
      if (this.#held.some((one) => isSame(one.seed, seed))) continue
      const known = before.find((one) => isSame(one.seed, seed))
      const own = known ?? { seed: seed.slice(), publicHex: hexOf(publicKeyOfSeed(seed)) }
      this.#held.push({ ...own, validUntilMs })
    }
    const kept = new Set(this.#held.map(({ seed }) => seed))
    for (const { seed } of before) if (!kept.has(seed)) seed.fill(0)
    this.#dropExpired()
  }

  /** A copy of the seed, 32 bytes; undefined for a key that is not held, or is not valid any more. */
  privateKeyOf(publicKey: Uint8Array): Uint8Array | undefined {
    this.#dropExpired()
    const hex = hexOf(publicKey)
    return this.#held.find(({ publicHex }) => publicHex === hex)?.seed.slice()
  }

  /** Whether that seed is one of the valid ones. */
  has(seed: Uint8Array): boolean {
    this.#dropExpired()
    return this.#held.some((one) => isSame(one.seed, seed))
  }

  /** Forgets all keys. */
  clear(): void {
    this.replace([])
  }

  #dropExpired(): void {
    const now = this.#now()
    for (const { seed } of this.#held.filter(({ validUntilMs }) => validUntilMs <= now)) seed.fill(0)
    this.#held = this.#held.filter(({ validUntilMs }) => validUntilMs > now)
    clearTimeout(this.#timer)
    if (this.#held.length === 0) return
    const nextMs = Math.min(...this.#held.map(({ validUntilMs }) => validUntilMs)) - now
    this.#timer = setTimeout(() => this.#dropExpired(), Math.min(nextMs, longestTimerMs))
    this.#timer.unref()
  }
}
