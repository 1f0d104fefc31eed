import { createHash } from 'node:crypto'
import { ed25519Signer } from '../ed25519.ts'
import { type HashSigner, publicKeyOfSeed } from '../signed.ts'

export interface KeyPair {
  readonly publicKey: Buffer
  readonly sign: HashSigner
}

const known = new Map<string, KeyPair>()

/** The same key for the same name, always. */
export function keyNamed(name: string): KeyPair {
  const pair = known.get(name)
  if (pair !== undefined) return pair
  const seed = createHash('sha256').update(name).digest()
  const made = { publicKey: Buffer.from(publicKeyOfSeed(seed)), sign: ed25519Signer(seed) }
  known.set(name, made)
  return made
}
