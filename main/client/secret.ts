import { createHash, createHmac } from 'node:crypto'
import type { Address } from '@ton/core'

/**
 * The short-authorization secret of one client contract: HMAC-SHA256(master secret, workchain byte and hash of the contract address).
 * Every contract, and so every proxy, gets another one: a proxy that learns it cannot use it anywhere else (protocol 90 §2.1).
 * `master` is 32 random bytes from the vault.
 */
export function contractSecret(master: Uint8Array, clientContract: Address): Uint8Array {
  if (master.length < 16) throw new RangeError('the master secret is too short')
  const address = Buffer.concat([Uint8Array.of(clientContract.workChain & 0xff), clientContract.hash])
  return createHmac('sha256', master).update(address).digest()
}

/** What the client contract stores and the proxy compares (protocol 30 §3.3). */
export function secretHash(secret: Uint8Array): Uint8Array {
  return createHash('sha256').update(secret).digest()
}
