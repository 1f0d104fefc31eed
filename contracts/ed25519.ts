import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { bytes } from './cells.ts'

/** DER in front of a 32-byte seed and of a 32-byte public key (RFC 8410 §4, §7). */
const seedPrefix = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * Signs with the key of a 32-byte seed; each call returns 64 bytes. By OpenSSL: the library of the wallets does the same in JavaScript in
 * some milliseconds, which a node that signs and checks with every request cannot spend.
 */
export function ed25519Signer(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  const key = privateKeyOf(seed)
  return (message) => new Uint8Array(sign(null, message, key))
}

/** The 32-byte public key of a 32-byte seed. Throws RangeError for a seed of another length. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' })
  return new Uint8Array(der.subarray(publicPrefix.length))
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([seedPrefix, bytes('seed', seed, 32)]), format: 'der', type: 'pkcs8' })
}

/** Whether `signature` (64 bytes) over `message` is by the owner of `publicKey` (32 bytes). Throws RangeError for a key of another length. */
export function ed25519Verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const key = createPublicKey({
    key: Buffer.concat([publicPrefix, bytes('publicKey', publicKey, 32)]),
    format: 'der',
    type: 'spki',
  })
  return verify(null, message, key, signature)
}
