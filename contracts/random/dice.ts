/** Random choices that a seed repeats exactly. */
export class Dice {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** A separate source for the n-th thing: what happens to one does not change the others. */
  fork(n: number): Dice {
    return new Dice(mix(this.state ^ mix(n + 0x9e3779b9)))
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    return Math.floor((mix(this.state) / 2 ** 32) * limit)
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  weighted<T>(items: readonly (readonly [number, T])[]): T {
    let left = this.below(items.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, item] of items) {
      left -= weight
      if (left < 0) return item
    }
    throw new RangeError('nothing to pick from')
  }

  /** Uniform over `bits` bits. */
  bits(bits: number): bigint {
    let value = 0n
    for (let done = 0; done < bits; done += 16) value = (value << 16n) | BigInt(this.below(65_536))
    return value & ((1n << BigInt(bits)) - 1n)
  }

  /** From 0 to `limit`, with all orders of magnitude about as likely; both ends come up often. */
  upTo(limit: bigint): bigint {
    if (limit <= 0n) return 0n
    const kind = this.below(10)
    if (kind === 0) return 0n
    if (kind === 1) return limit
    if (kind < 6) return this.bits(96) % (limit + 1n)
    return this.bits(1 + this.below(limit.toString(2).length)) % (limit + 1n)
  }

  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items]
    const result: T[] = []
    while (left.length > 0) result.push(...left.splice(this.below(left.length), 1))
    return result
  }
}

/** Finalizer of murmur3: every bit of the input moves every bit of the result. */
function mix(value: number): number {
  let x = value >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
