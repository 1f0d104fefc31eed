import type { Address } from '@ton/core'
import { ed25519Signer } from '../../../../contracts/ed25519.ts'
import { publicKeyOfSeed } from '../../../../contracts/signed.ts'
import { encodeHttpRequest } from '../../http/http-message.ts'
import { scriptedNetwork } from '../../testing/scripted-network.ts'
import { KeyRing, type KeyRingOptions } from '../direct/key-ring.ts'
import { type OwnerWallet, walletAddress } from '../direct/owner-wallet.ts'
import type { SealedHead } from '../direct/request.ts'
import type { ReadKey, SealingIdentity } from '../direct/worker-key.ts'

export const ownerSeed = new Uint8Array(32).fill(3)
export const w5: OwnerWallet = { '@type': 'sealed.walletW5', public_key: publicKeyOfSeed(ownerSeed), wallet_id: 2_147_483_409 }
export const owner = walletAddress(w5)
export const identity: SealingIdentity = { wallet: w5, sign: ed25519Signer(ownerSeed) }
export const fullModel = 'Qwen/Qwen3-8B@abc:def'
export const model = 'Qwen/Qwen3-8B'
export const { address: root } = scriptedNetwork.root
export const proxy: Address = scriptedNetwork.owner

/** A ring of the scripted network's worker. */
export const ringOf = (change: Partial<KeyRingOptions> = {}): KeyRing =>
  new KeyRing({ identity, root, owner, model: fullModel, now: Date.now, ...change })

export const headFor = (key: ReadKey, change: Partial<SealedHead> = {}): SealedHead => ({
  keyId: key.id,
  requestId: new Uint8Array(32).fill(8),
  proxy,
  model,
  maxTokens: 100,
  maxCoefficient: 1000,
  bodyLimit: 100,
  choices: 1,
  ...change,
})

export const question = (content = 'What is secret?'): Uint8Array =>
  encodeHttpRequest({
    method: 'POST',
    path: '/v1/chat/completions',
    headers: [['Content-Type', 'application/json']],
    body: Buffer.from(JSON.stringify({ model, max_tokens: 100, messages: [{ role: 'user', content }], stream: true })),
  })
