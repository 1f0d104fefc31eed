import { ed25519Signer } from '../../contracts/ed25519.ts'
import type { SealingIdentity } from '../protocol/sealed/direct/worker-key.ts'
import { type Machine, sealingMachine } from '../roles/attesting.ts'
import type { Chain } from '../ton/chain.ts'
import { type WalletKeyPair, w5WalletId } from '../wallet/w5-wallet.ts'
import type { Offering } from './app-network.ts'

/** The user's W5 wallet as the one that vouches for the keys of a worker whose pay it receives (docs/protocol-extensions.md). */
export function w5Sealing({ publicKey, secretKey }: WalletKeyPair, kind: Chain['kind']): SealingIdentity {
  return {
    wallet: { '@type': 'sealed.walletW5', public_key: publicKey, wallet_id: w5WalletId(kind) },
    // The secret key of 64 bytes is the seed with the public key behind it.
    sign: ed25519Signer(secretKey.subarray(0, 32)),
  }
}

/** As `w5Sealing`, with what this machine attests of a worker: of one whose engine is another program nothing, wherever that runs. */
export function workerSealing(
  keys: WalletKeyPair,
  kind: Chain['kind'],
  engine: Offering['engine'],
  machine?: Machine,
): SealingIdentity {
  return { ...w5Sealing(keys, kind), ...sealingMachine(engine, machine) }
}
