import { ED25519_KEY_TYPE } from '../../contracts/root.ts'
import type { RootConfig } from './root-config.ts'

/** A public key of the network that requests can be encrypted for (protocol 95 §4.1). */
export interface SealingKey {
  /** Ed25519, 32 bytes */
  readonly publicKey: Uint8Array
  readonly expiresAtMs: number
}

/** A key serves only while it outlives the longest question by far, and clocks that differ. */
const comfortMs = 30 * 60_000

/**
 * The keys of the network contract that are comfortably valid, longest first: hourly ones live a day, so each is good for many questions.
 * @param nowMs Unix ms
 */
export function sealingKeys(root: Pick<RootConfig, 'keyManager'>, nowMs: number): SealingKey[] {
  return (root.keyManager?.keys ?? [])
    .filter(({ type, expiresAtSec }) => type === ED25519_KEY_TYPE && expiresAtSec * 1000 >= nowMs + comfortMs)
    .sort((one, other) => other.expiresAtSec - one.expiresAtSec)
    .map(({ publicKey, expiresAtSec }) => ({
      publicKey: new Uint8Array(Buffer.from(publicKey, 'hex')),
      expiresAtMs: expiresAtSec * 1000,
    }))
}
