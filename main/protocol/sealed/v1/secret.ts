import { createHash, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { EnvelopeError } from './envelope-error.ts'

/** DER in front of a 32-byte X25519 private and public key (RFC 8410 §4, §7). */
const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex')
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex')
/** 2^255 − 19 */
const prime = 2n ** 255n - 19n

/** From the client to the worker, or back. */
export type Direction = 'c' | 'w'

const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)

function inverse(value: bigint): bigint {
  let [base, exponent, result] = [value, prime - 2n, 1n]
  for (; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) result = (result * base) % prime
    base = (base * base) % prime
  }
  return result
}

/**
 * The X25519 form of a public Ed25519 key: u = (1 + y) / (1 − y) modulo 2^255 − 19 (RFC 7748 §4.1). Nothing here is secret.
 * @throws EnvelopeError for a key that is no point
 */
export function montgomeryKey(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== 32) throw new EnvelopeError('a key has 32 bytes')
  const unsigned = publicKey.slice()
  // The highest bit is the sign of x.
  unsigned[31] = (unsigned[31] ?? 0) & 0x7f
  const y = littleEndian(unsigned)
  if (y >= prime || y === 1n) throw new EnvelopeError('a key is no point of the curve')
  const u = ((1n + y) * inverse((1n - y + prime) % prime)) % prime
  return new Uint8Array(Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse())
}

/**
 * The secret of two Ed25519 keys (protocol 95 §4.3), by OpenSSL's X25519, which clamps the private key.
 * @param seed own Ed25519 seed, 32 bytes
 * @throws EnvelopeError for a key that is no point, or of low order
 */
export function sharedSecret(seed: Uint8Array, peer: Uint8Array): Uint8Array {
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32)
  const privateKey = createPrivateKey({ key: Buffer.concat([privatePrefix, scalar]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey({ key: Buffer.concat([publicPrefix, montgomeryKey(peer)]), format: 'der', type: 'spki' })
  try {
    return new Uint8Array(diffieHellman({ privateKey, publicKey }))
  } catch (cause) {
    throw new EnvelopeError('a key is of low order', { cause })
  }
}

/** The secret of one JSON value. @param nonce the text as it stands in the envelope, not decoded */
export function valueSecret(shared: Uint8Array, nonce: string, direction: Direction): Uint8Array {
  return new Uint8Array(createHash('sha256').update(shared).update(nonce, 'ascii').update(direction, 'ascii').digest())
}
