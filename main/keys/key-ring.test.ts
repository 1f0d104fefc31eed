import { describe, expect, it } from 'vitest'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { KeyRing } from './key-ring.ts'

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const publicKey = (byte: number): Uint8Array => publicKeyOfSeed(seed(byte))

describe('a ring of private keys', () => {
  it('finds a private key by its public one, and gives a copy', () => {
    const ring = new KeyRing(() => 0)
    const given = { seed: seed(1), validUntilMs: 10 }
    ring.replace([given, { seed: seed(2), validUntilMs: 10 }])
    given.seed.fill(0)
    expect(ring.privateKeyOf(publicKey(1))).toEqual(seed(1))
    ring.privateKeyOf(publicKey(1))?.fill(9)
    expect(ring.privateKeyOf(publicKey(1))).toEqual(seed(1))
    expect(ring.privateKeyOf(publicKey(3))).toBeUndefined()
    expect([ring.has(seed(2)), ring.has(seed(3)), ring.size]).toEqual([true, false, 2])
    ring.clear()
  })

  it('drops a key the moment it expires, by the clock and by a timer of its own', async () => {
    let now = 0
    const ring = new KeyRing(() => now)
    ring.replace([
      { seed: seed(1), validUntilMs: 1_000 },
      { seed: seed(2), validUntilMs: 2_000 },
    ])
    now = 999
    expect(ring.privateKeyOf(publicKey(1))).toBeDefined()
    now = 1_000
    expect(ring.privateKeyOf(publicKey(1))).toBeUndefined()
    expect(ring.has(seed(1))).toBe(false)
    expect(ring.size).toBe(1)

    const soon = new KeyRing()
    soon.replace([{ seed: seed(3), validUntilMs: Date.now() + 300 }])
    expect(soon.size).toBe(1)
    await expect.poll(() => soon.size).toBe(0)
  })

  it('forgets what a newer list leaves out, and keeps what it repeats, with its newer end', () => {
    let now = 0
    const ring = new KeyRing(() => now)
    ring.replace([
      { seed: seed(1), validUntilMs: 10 },
      { seed: seed(2), validUntilMs: 10 },
    ])
    ring.replace([{ seed: seed(2), validUntilMs: 20 }])
    expect(ring.has(seed(1))).toBe(false)
    now = 15
    expect(ring.privateKeyOf(publicKey(2))).toEqual(seed(2))
  })

  it('takes no key that has expired already', () => {
    const ring = new KeyRing(() => 5)
    ring.replace([{ seed: seed(1), validUntilMs: 5 }])
    expect(ring.size).toBe(0)
  })
})
