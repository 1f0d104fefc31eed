import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const version = 1
const nonceLength = 12
const tagLength = 16

/**
 * AES-256-GCM with a random 96-bit nonce: `version (1) | nonce (12) | ciphertext | tag (16)`.
 * Random nonces are safe up to about 2^32 messages under one key, far above what one install writes.
 * @param key 32 bytes.
 * @param context authenticated, not stored: names what these bytes are, so that they open nowhere else.
 */
export function sealBytes(key: Uint8Array, plain: Uint8Array, context: Uint8Array): Uint8Array {
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  cipher.setAAD(Buffer.concat([Uint8Array.of(version), context]))
  return new Uint8Array(Buffer.concat([Uint8Array.of(version), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]))
}

/** The bytes that `sealBytes` took, or null if key, context or a single bit is not the same. */
export function openBytes(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array | null {
  if (sealed.length < 1 + nonceLength + tagLength || sealed[0] !== version) return null
  const nonce = sealed.subarray(1, 1 + nonceLength)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  decipher.setAAD(Buffer.concat([Uint8Array.of(version), context]))
  decipher.setAuthTag(sealed.subarray(sealed.length - tagLength))
  try {
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(1 + nonceLength, -tagLength)), decipher.final()]))
  } catch {
    // OpenSSL says only "unable to authenticate"; the caller knows what was opened and names it.
    return null
  }
}
