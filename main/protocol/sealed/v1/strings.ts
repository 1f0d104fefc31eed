import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { EnvelopeError } from './envelope-error.ts'

const blockBytes = 16
const leastPrefix = 16
const idBytes = 16
/** Length of the empty extra data, little-endian. */
const noExtra = Buffer.alloc(4)

const hmac = (name: 'sha256' | 'sha512', key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer => {
  const mac = createHmac(name, key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

function keysOf(secret: Uint8Array): { readonly encryption: Buffer; readonly mac: Buffer } {
  const large = hmac('sha512', secret, Buffer.from('tde2e_encrypt_data', 'ascii'))
  return { encryption: large.subarray(0, 32), mac: large.subarray(32) }
}

function cipherOf(key: Uint8Array, id: Uint8Array): { readonly key: Buffer; readonly iv: Buffer } {
  const large = hmac('sha512', key, id)
  return { key: large.subarray(0, 32), iv: large.subarray(32, 48) }
}

/**
 * One string under the secret of its JSON value (protocol 95 §4.4): a prefix of 16 to 31 bytes, HMAC-SHA-256 as message id, AES-256-CBC.
 * @param random so many bytes, unforeseeable
 */
export function encryptString(
  secret: Uint8Array,
  data: Uint8Array,
  random: (length: number) => Uint8Array = randomBytes,
): Uint8Array {
  const { encryption, mac } = keysOf(secret)
  const prefixBytes = ((leastPrefix + blockBytes - 1 + data.length) & ~(blockBytes - 1)) - data.length
  const prefix = Uint8Array.from(random(prefixBytes))
  prefix[0] = prefixBytes
  const padded = Buffer.concat([prefix, data])
  const id = hmac('sha256', mac, padded, noExtra).subarray(0, idBytes)
  const { key, iv } = cipherOf(encryption, id)
  const cipher = createCipheriv('aes-256-cbc', key, iv).setAutoPadding(false)
  return Buffer.concat([id, cipher.update(padded), cipher.final()])
}

/** @throws EnvelopeError for anything but what `encryptString` made under this secret */
export function decryptString(secret: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length < idBytes + leastPrefix || sealed.length % blockBytes !== 0)
    throw new EnvelopeError('an encrypted string has a wrong length')
  const { encryption, mac } = keysOf(secret)
  const id = sealed.subarray(0, idBytes)
  const { key, iv } = cipherOf(encryption, id)
  const decipher = createDecipheriv('aes-256-cbc', key, iv).setAutoPadding(false)
  const padded = Buffer.concat([decipher.update(sealed.subarray(idBytes)), decipher.final()])
  const expected = hmac('sha256', mac, padded, noExtra).subarray(0, idBytes)
  if (!timingSafeEqual(expected, id)) throw new EnvelopeError('an encrypted string does not open')
  const prefixBytes = padded[0] ?? 0
  if (prefixBytes < leastPrefix || prefixBytes > padded.length) throw new EnvelopeError('an encrypted string has a wrong prefix')
  return new Uint8Array(padded.subarray(prefixBytes))
}
