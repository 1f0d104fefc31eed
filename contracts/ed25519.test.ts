import { keyPairFromSeed, sign, signVerify } from '@ton/crypto'
import { describe, expect, it } from 'vitest'
import { ed25519PublicKey, ed25519Signer, ed25519Verify } from './ed25519.ts'

describe('Ed25519 by OpenSSL', () => {
  it('signs and judges as the library of the wallets does', () => {
    for (let round = 0; round < 8; round++) {
      const seed = Buffer.alloc(32, round * 37 + 1)
      const pair = keyPairFromSeed(seed)
      const message = Buffer.alloc(32, round)
      expect(Buffer.from(ed25519PublicKey(seed))).toEqual(pair.publicKey)
      const ours = ed25519Signer(seed)(message)
      expect(Buffer.from(ours)).toEqual(sign(message, pair.secretKey))
      expect(signVerify(message, Buffer.from(ours), pair.publicKey)).toBe(true)
      expect(ed25519Verify(message, ours, pair.publicKey)).toBe(true)
      const changed = Uint8Array.from(ours)
      changed[round] = (changed[round] ?? 0) ^ 1
      expect(ed25519Verify(message, changed, pair.publicKey)).toBe(false)
      expect(ed25519Verify(Buffer.alloc(32, round + 1), ours, pair.publicKey)).toBe(false)
      expect(ed25519Verify(message, ours, keyPairFromSeed(Buffer.alloc(32, 200)).publicKey)).toBe(false)
    }
  })

  it('refuses keys and signatures of other lengths, and keys that are no point', () => {
    const { publicKey } = keyPairFromSeed(Buffer.alloc(32, 7))
    expect(() => ed25519Signer(new Uint8Array(31))).toThrow(RangeError)
    expect(() => ed25519PublicKey(new Uint8Array(33))).toThrow(RangeError)
    expect(() => ed25519Verify(new Uint8Array(32), new Uint8Array(64), publicKey.subarray(1))).toThrow(RangeError)
    expect(ed25519Verify(new Uint8Array(32), new Uint8Array(63), publicKey)).toBe(false)
    expect(ed25519Verify(new Uint8Array(32), new Uint8Array(64), new Uint8Array(32).fill(0xff))).toBe(false)
  })
})
