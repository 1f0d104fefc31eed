import { describe, expect, it } from 'vitest'
import type { KeyManager } from '../../contracts/root.ts'
import { sealingKeys } from './sealing-keys.ts'

const nowMs = 1_800_000_000_000
const key = (byte: number, hoursLeft: number, type = 1) => ({
  publicKey: Buffer.alloc(32, byte).toString('hex'),
  type,
  expiresAtSec: nowMs / 1000 + hoursLeft * 3600,
})
const rootWith = (...keys: KeyManager['keys']) => ({
  keyManager: { keys, publicKey: '00'.repeat(32), imageHash: '00'.repeat(32), endpoints: null },
})

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
