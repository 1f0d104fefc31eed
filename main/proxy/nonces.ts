import { randomBytes } from 'node:crypto'
import type { Address } from '@ton/core'

interface Entry {
  readonly owner: Address
  readonly seen: PromiseWithResolvers<void>
}

/** Nonces of open client connections, and which of them their owners have registered on chain (50 §2.2). */
export class Nonces {
  readonly #entries = new Map<bigint, Entry>()

  /** A fresh random u64, valid for this owner until `forget`. */
  issue(owner: Address): bigint {
    const nonce = randomBytes(8).readBigUInt64LE()
    if (this.#entries.has(nonce) || nonce === 0n) return this.issue(owner)
    this.#entries.set(nonce, { owner, seen: Promise.withResolvers<void>() })
    return nonce
  }

  /** A register message of this owner's client contract was seen on chain. */
  registered(nonce: bigint, owner: Address): void {
    const entry = this.#entries.get(nonce)
    if (entry?.owner.equals(owner)) entry.seen.resolve()
  }

  /** Resolves once the nonce was registered, also if that was before the call. Rejects when the connection is over. */
  wait(nonce: bigint): Promise<void> {
    return this.#entries.get(nonce)?.seen.promise ?? Promise.reject(new Error('the connection is over'))
  }

  forget(nonce: bigint): void {
    const entry = this.#entries.get(nonce)
    this.#entries.delete(nonce)
    entry?.seen.promise.catch(() => undefined)
    entry?.seen.reject(new Error('the connection is over'))
  }
}
