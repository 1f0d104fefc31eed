import { Failure } from '../base/failure.ts'
import type { RootConfig } from './root-config.ts'

/** A public key of the network that requests can be encrypted for (protocol 95 §4.1). */
export interface SealingKey {
  /** Ed25519, 32 bytes */
  readonly publicKey: Uint8Array
  readonly expiresAtMs: number
}

/** The kind of key that "v1" encrypts for (protocol 95 §4). */
const ed25519KeyType = 1
/** A key serves only while it outlives the longest question by far, and clocks that differ. */
const comfortMs = 30 * 60_000
/** Proxies that know none of so many keys have trouble with their key manager. */
const mostTries = 3

/**
 * The keys of the network contract that are comfortably valid, longest first: hourly ones live a day, so each is good for many questions.
 * @param nowMs Unix ms
 */
export function sealingKeys(root: Pick<RootConfig, 'keyManager'>, nowMs: number): SealingKey[] {
  return (root.keyManager?.keys ?? [])
    .filter(({ type, expiresAtSec }) => type === ed25519KeyType && expiresAtSec * 1000 >= nowMs + comfortMs)
    .sort((one, other) => other.expiresAtSec - one.expiresAtSec)
    .map(({ publicKey, expiresAtSec }) => ({
      publicKey: new Uint8Array(Buffer.from(publicKey, 'hex')),
      expiresAtMs: expiresAtSec * 1000,
    }))
}

/**
 * Asks with the best key, and with another one where the network's proxies do not know it (error 602, protocol 95 §4.1).
 * @param ask encrypts for the key and sends; it rejects with `unknown-key` before anything was answered, and then nothing was charged
 * @throws Failure `no-sealing-key` when the network lists none that is valid for long enough; `unknown-key` when no proxy knows
 *   any of those that were tried; and what `ask` throws otherwise
 */
export async function withSealingKey<T>(
  root: Pick<RootConfig, 'keyManager'>,
  nowMs: number,
  ask: (key: SealingKey) => Promise<T>,
): Promise<T> {
  const keys = sealingKeys(root, nowMs)
  let unknown: Failure | undefined
  for (const key of keys.slice(0, mostTries)) {
    try {
      return await ask(key)
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code !== 'unknown-key') throw thrown
      unknown = thrown
    }
  }
  throw (
    unknown ??
    new Failure('no-sealing-key', 'The network lists no key that a question could be encrypted for.', {
      advice: 'Wait until its key manager has listed a new one.',
      retryable: true,
    })
  )
}
