import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { contexts } from './suite.ts'

/** `CDA1`: a sealed answer begins with it, and with 32 random bytes of the worker. */
export const answerMagic: Uint8Array = new Uint8Array(Buffer.from('CDA1', 'ascii'))
export const answerNonceBytes = 32
export const answerHeadBytes = answerMagic.length + answerNonceBytes

/** First byte of a record's content. */
export const recordKinds = { head: 0, data: 1, end: 2, error: 3 } as const
export type RecordKind = keyof typeof recordKinds

const cipherKeyBytes = 32
const baseNonceBytes = 12

/** Key and nonces of one answer. */
export interface AnswerKeys {
  readonly key: KeyObject
  /** The nonce of record number `index`, good until the next call: the base with the number over its last eight bytes, as in RFC 9180 §5.2. */
  nonce(index: number): Uint8Array
}

/**
 * Keys of an answer from the secret that the request's HPKE context exports, as RFC 9458 §4.4 does it: HKDF-SHA256 with salt `enc ‖ answer nonce`.
 * The worker's own 32 bytes make the keys new even if the same request were ever answered twice.
 */
export function answerKeys(secret: Uint8Array, enc: Uint8Array, answerNonce: Uint8Array): AnswerKeys {
  const salt = Buffer.concat([enc, answerNonce])
  const material = new Uint8Array(hkdfSync('sha256', secret, salt, contexts.answer, cipherKeyBytes + baseNonceBytes))
  const nonce = Buffer.from(material.subarray(cipherKeyBytes))
  const [high, low] = [nonce.readUInt32BE(4), nonce.readUInt32BE(8)]
  return {
    // A key object: bytes would be looked at anew for each record.
    key: createSecretKey(material.subarray(0, cipherKeyBytes)),
    nonce: (index) => {
      nonce.writeUInt32BE((high ^ Math.floor(index / 2 ** 32)) >>> 0, 4)
      nonce.writeUInt32BE((low ^ (index >>> 0)) >>> 0, 8)
      return nonce
    },
  }
}
