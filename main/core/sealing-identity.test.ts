import { keyPairFromSeed } from '@ton/crypto'
import { expect, it } from 'vitest'
import { ed25519Verify } from '../../contracts/ed25519.ts'
import { walletAddress } from '../protocol/sealed/direct/owner-wallet.ts'
import { w5Address } from '../wallet/w5-wallet.ts'
import { w5Sealing } from './sealing-identity.ts'

const pair = keyPairFromSeed(Buffer.alloc(32, 7))

it.each(['mainnet', 'testnet', 'local'] as const)('the wallet of %s is the one that receives the pay', (kind) => {
  const { wallet, sign } = w5Sealing(pair, kind)
  expect(walletAddress(wallet).toString()).toBe(w5Address(pair.publicKey, kind).toString())
  const message = Buffer.from('a statement')
  expect(ed25519Verify(message, sign(message), pair.publicKey)).toBe(true)
})
