import { describe, expect, it } from 'vitest'
import { ed25519Signer } from '../../../../contracts/ed25519.ts'
import { publicKeyOfSeed } from '../../../../contracts/signed.ts'
import { W5Wallet } from '../../../wallet/w5-wallet.ts'
import { scriptedNetwork } from '../../testing/scripted-network.ts'
import { encode } from '../../tl/codec.ts'
import { identity, model, owner, ownerSeed, ringOf, root, w5 } from '../testing/sealing-scene.ts'
import { walletAddress } from './owner-wallet.ts'
import { KeyRefused } from './seal-errors.ts'
import { type ReadKey, readKey, type SealingIdentity, signKey, verifyKey } from './worker-key.ts'

const hourMs = 3_600_000
const nowMs = Date.parse('2026-11-22T12:00:00Z')
const wanted = { root, model, nowMs }
const statement = {
  publicKey: new Uint8Array(32).fill(5),
  createdAtMs: nowMs,
  expiresAtMs: nowMs + hourMs,
  root,
  owner,
  wallet: w5,
}
const named = { ...statement, model: `${model}@c:h` }

function reasonOf(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof KeyRefused) return thrown.reason
    throw thrown
  }
  return 'taken'
}
const judged = (key: ReadKey, change: Partial<typeof wanted> = {}): string =>
  reasonOf(() => verifyKey(key, { ...wanted, ...change }))

describe('a worker’s sealing key', () => {
  it('is taken when the owner’s wallet signed it', async () => {
    const key = await signKey(named, identity)
    expect(judged(readKey(key.signedKey))).toBe('taken')
    expect(key.owner.equals(owner)).toBe(true)
    expect(key).toMatchObject({ model: `${model}@c:h`, createdAtMs: nowMs, expiresAtMs: nowMs + hourMs })
  })

  it('is taken from a Cocoon wallet that receives the pay itself', async () => {
    const wallet = {
      '@type': 'sealed.walletCocoon' as const,
      public_key: publicKeyOfSeed(ownerSeed),
      owner: scriptedNetwork.owner.toRawString(),
    }
    const cocoon = walletAddress(wallet)
    const key = await signKey({ ...named, wallet, owner: cocoon }, { ...identity, wallet })
    expect(judged(key)).toBe('taken')
    expect(judged(await signKey({ ...named, wallet }, { ...identity, wallet }))).toBe('owner-mismatch')
  })

  it('derives the address that the wallet itself has', () => {
    const secretKey = Buffer.concat([Buffer.from(ownerSeed), Buffer.from(w5.public_key)])
    for (const kind of ['mainnet', 'testnet', 'local'] as const) {
      const chain = { kind } as ConstructorParameters<typeof W5Wallet>[0]
      const wallet = new W5Wallet(chain, { publicKey: w5.public_key, secretKey })
      const ids = { mainnet: 2_147_483_409, testnet: 2_147_483_645, local: 2_147_481_622 }
      expect(walletAddress({ ...w5, wallet_id: ids[kind] } as typeof w5).toString()).toBe(wallet.address.toString())
      wallet.close()
    }
  })

  it.each<[string, string, () => Promise<ReadKey>, Partial<typeof wanted>]>([
    ['of another network', 'other-network', () => signKey({ ...named, root: owner }, identity), {}],
    ['for another model', 'other-model', () => signKey({ ...statement, model: 'Other/Model@c:h' }, identity), {}],
    ['whose model only begins alike', 'other-model', () => signKey({ ...statement, model: `${model}-large@c:h` }, identity), {}],
    ['that has ended', 'expired', () => signKey(named, identity), { nowMs: nowMs + hourMs }],
    ['of the day after tomorrow', 'not-yet-valid', () => signKey(named, identity), { nowMs: nowMs - hourMs }],
    [
      'that lives for a year',
      'lives-too-long',
      () => signKey({ ...named, expiresAtMs: nowMs + 365 * 24 * hourMs }, identity),
      {},
    ],
    [
      'with the owner of another wallet',
      'owner-mismatch',
      () => signKey({ ...named, owner: scriptedNetwork.owner }, identity),
      {},
    ],
    [
      'signed by another key',
      'bad-signature',
      () => signKey(named, { ...identity, sign: ed25519Signer(new Uint8Array(32).fill(4)) }),
      {},
    ],
    [
      'signed without its purpose',
      'bad-signature',
      () => signKey(named, { ...identity, sign: (message) => identity.sign(message.subarray(5)) }),
      {},
    ],
    ['with a short signature', 'bad-signature', () => signKey(named, { ...identity, sign: () => new Uint8Array(12) }), {}],
  ])('%s is refused', async (_name, reason, make, change) => {
    expect(judged(await make(), change)).toBe(reason)
  })

  it('does not survive the change of any bit that it states', async () => {
    const { statement: bytes, signedKey } = await signKey(named, identity)
    const at = Buffer.from(signedKey).indexOf(Buffer.from(bytes))
    for (let index = 0; index < bytes.length * 8; index += 3) {
      const changed = signedKey.slice()
      const place = at + (index >> 3)
      changed[place] = (changed[place] ?? 0) ^ (1 << (index & 7))
      expect([index, reasonOf(() => verifyKey(readKey(changed), wanted))]).not.toEqual([index, 'taken'])
    }
  })

  it.each<[string, () => Uint8Array]>([
    ['nothing', () => new Uint8Array()],
    ['noise', () => new Uint8Array(300).fill(0xa5)],
    ['another type', () => encode({ '@type': 'tcp.ping', id: 1n })],
    [
      'a statement that is none',
      () => encode({ '@type': 'sealed.signedKey', flags: 0, key: new Uint8Array(40), signature: new Uint8Array(64) }),
    ],
    ['one that is too long', () => new Uint8Array(64 * 1024)],
  ])('%s is no key', (_name, bytes) => {
    expect(reasonOf(() => readKey(bytes()))).toBe('malformed')
  })

  it('never signs what a wallet could take for an order', async () => {
    const lengths: number[] = []
    const spy: SealingIdentity = {
      ...identity,
      sign: (message) => {
        lengths.push(message.length)
        return identity.sign(message)
      },
    }
    await ringOf({ identity: spy }).current()
    expect(lengths).toHaveLength(1)
    expect(lengths[0]).toBeGreaterThan(64)
  })

  it('is bound to a quote by its statement', async () => {
    const asked: Uint8Array[] = []
    const key = await signKey(named, {
      ...identity,
      quote: async (reportData) => {
        asked.push(reportData)
        return Uint8Array.of(1, 2, 3)
      },
    })
    expect(asked.map(({ length }) => length)).toEqual([64])
    expect(readKey(key.signedKey).quote).toEqual(Uint8Array.of(1, 2, 3))
  })
})
