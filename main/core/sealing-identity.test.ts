import { keyPairFromSeed } from '@ton/crypto'
import { expect, it } from 'vitest'
import { ed25519Verify } from '../../contracts/ed25519.ts'
import { walletAddress } from '../protocol/sealed/direct/owner-wallet.ts'
import { w5Address } from '../wallet/w5-wallet.ts'
import { w5Sealing, workerSealing } from './sealing-identity.ts'

const pair = keyPairFromSeed(Buffer.alloc(32, 7))

it.each(['mainnet', 'testnet', 'local'] as const)('the wallet of %s is the one that receives the pay', (kind) => {
  const { wallet, sign } = w5Sealing(pair, kind)
  expect(walletAddress(wallet).toString()).toBe(w5Address(pair.publicKey, kind).toString())
  const message = Buffer.from('a statement')
  expect(ed25519Verify(message, sign(message), pair.publicKey)).toBe(true)
})

it('attests nothing of a worker whose engine is another program, in a confidential machine either', () => {
  const machine = { tee: { kind: 'tdx-guest' as const, canQuote: true, sentence: '' }, gpu: async () => 'none' as const }
  expect(workerSealing(pair, 'local', 'builtin', machine)).toMatchObject({
    quote: expect.any(Function),
    gpu: expect.any(Function),
  })
  const sealing = workerSealing(pair, 'local', 'external', machine)
  expect([sealing.quote, sealing.gpu]).toEqual([undefined, undefined])
  expect(sealing.wallet).toEqual(w5Sealing(pair, 'local').wallet)
})
