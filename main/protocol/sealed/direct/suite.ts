import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256 } from '@hpke/core'
import { HkdfAtOnce } from './hkdf.ts'

/**
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (RFC 9180 §7: 0x0020, 0x0001, 0x0002), in base mode: a worker knows no key of a client
 * that the proxy could not replace, and a long-lived one would tie a client's questions together.
 */
export const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfAtOnce(), aead: new Aes256Gcm() })

export const keyBytes = 32
export const tagBytes = 16

const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'ascii'))

/** What each use of a key begins with, so that nothing made for one is valid for another. */
export const contexts = {
  keyStatement: ascii('cocoon-desktop sealing key v1\n'),
  request: ascii('cocoon-desktop sealed request v1\n'),
  answer: ascii('cocoon-desktop sealed answer v1'),
} as const

/** A view that owns its buffer whole, as WebCrypto's types ask for. */
export const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
