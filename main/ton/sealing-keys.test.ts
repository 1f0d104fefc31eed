import { describe, expect, it } from 'vitest'
import type { KeyManager } from '../../contracts/root.ts'
import { Failure } from '../base/failure.ts'
import { sealingKeys, withSealingKey } from './sealing-keys.ts'

const nowMs = 1_800_000_000_000
const key = (byte: number, hoursLeft: number, type = 1) => ({
  publicKey: Buffer.alloc(32, byte).toString('hex'),
  type,
  expiresAtSec: nowMs / 1000 + hoursLeft * 3600,
})
const rootWith = (...keys: KeyManager['keys']) => ({
  keyManager: { keys, publicKey: '00'.repeat(32), imageHash: '00'.repeat(32), endpoints: null },
})
const unknownKey = (): Failure => new Failure('unknown-key', 'The proxy does not know the key.')

describe('keys to encrypt for', () => {
  it('are of type 1 and comfortably valid, longest first', () => {
    const root = rootWith(key(1, 2), key(2, 24), key(3, 0.4), key(4, -1), key(5, 48, 2), key(6, 48, 0), key(7, 0.5))
    expect(sealingKeys(root, nowMs).map(({ publicKey }) => publicKey[0])).toEqual([2, 1, 7])
    expect(sealingKeys(root, nowMs)[0]).toEqual({
      publicKey: new Uint8Array(32).fill(2),
      expiresAtMs: nowMs + 24 * 3_600_000,
    })
  })

  it('are none where the network has no key manager', () => expect(sealingKeys({ keyManager: null }, nowMs)).toEqual([]))
})

describe('asking with them', () => {
  const root = rootWith(key(1, 2), key(2, 24), key(3, 3), key(4, 1))

  it('takes another key where the first is unknown', async () => {
    const tried: (number | undefined)[] = []
    const answer = await withSealingKey(root, nowMs, async ({ publicKey }) => {
      tried.push(publicKey[0])
      if (tried.length < 2) throw unknownKey()
      return 'answered'
    })
    expect([answer, tried]).toEqual(['answered', [2, 3]])
  })

  it('gives up after three', async () => {
    let tries = 0
    const asked = withSealingKey(root, nowMs, async () => {
      tries++
      throw unknownKey()
    })
    await expect(asked).rejects.toMatchObject({ code: 'unknown-key' })
    expect(tries).toBe(3)
  })

  it('tries nothing again after any other failure, which may have been charged', async () => {
    let tries = 0
    const asked = withSealingKey(root, nowMs, async () => {
      tries++
      throw new Failure('timeout', 'too late')
    })
    await expect(asked).rejects.toMatchObject({ code: 'timeout' })
    expect(tries).toBe(1)
  })

  it('says so where there is no key', async () => {
    await expect(withSealingKey(rootWith(key(1, 0.1)), nowMs, async () => 1)).rejects.toMatchObject({ code: 'no-sealing-key' })
  })
})
