import { randomBytes } from 'node:crypto'
import { keyPairFromSeed } from '@ton/crypto'
import type { LocalKeys } from '../localnet/genesis.ts'
import { keyPairOfPhrase, newPhrase } from '../wallet/phrase.ts'
import type { SecretStore } from '../wallet/secret-store.ts'
import type { WalletKeyPair } from '../wallet/w5-wallet.ts'

/** Keys of everybody on this computer's local network, and the client's master secret (30 §3.3, 90 §2.1). */
export interface LocalSecrets extends LocalKeys {
  readonly proxy: WalletKeyPair
  readonly proxyWallet: WalletKeyPair
  readonly workerWallet: WalletKeyPair
  /** 32 bytes; each client contract gets an authorization secret of its own from it. */
  readonly clientMasterSecret: Uint8Array
}

/** Reads the keys, or makes them at the first start. The user's wallet and the network owner's are 24-word phrases, as every TON wallet. */
export async function localSecrets(store: SecretStore): Promise<LocalSecrets> {
  const phrase = async (name: string): Promise<WalletKeyPair> => {
    const words = await store.getOrCreate(name, async () => Buffer.from((await newPhrase()).join(' '), 'utf8'))
    return keyPairOfPhrase(Buffer.from(words).toString('utf8').split(' '))
  }
  const seed = (name: string): Promise<Uint8Array> => store.getOrCreate(name, () => randomBytes(32))
  const pair = async (name: string): Promise<WalletKeyPair> => keyPairFromSeed(Buffer.from(await seed(name)))
  return {
    user: await phrase('local/user phrase'),
    networkOwner: await phrase('local/network owner phrase'),
    proxy: await pair('local/proxy key'),
    proxyWallet: await pair('local/proxy wallet key'),
    workerWallet: await pair('local/worker wallet key'),
    clientMasterSecret: await seed('local/client master secret'),
  }
}
