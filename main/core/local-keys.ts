import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { keyPairFromSeed } from '@ton/crypto'
import { Failure } from '../base/failure.ts'
import type { LocalKeys } from '../localnet/genesis.ts'
import { keyPairOfPhrase, newPhrase } from '../wallet/phrase.ts'
import type { SecretStore } from '../wallet/secret-store.ts'
import type { WalletKeyPair } from '../wallet/w5-wallet.ts'

const ownerPhrase = 'local/network owner phrase'

/** Keys of everybody on this computer's local network, and the client's master secret (30 §3.3, 90 §2.1). */
export interface LocalSecrets extends LocalKeys {
  readonly proxy: WalletKeyPair
  readonly proxyWallet: WalletKeyPair
  readonly workerWallet: WalletKeyPair
  /** 32 bytes; each client contract gets an authorization secret of its own from it. */
  readonly clientMasterSecret: Uint8Array
}

/**
 * Reads the keys, or makes them at the first start. The user's wallet and the network owner's are 24-word phrases, as every TON wallet.
 * @throws Failure `secrets-missing` when the chain was begun with keys that are gone: new ones would open none of its wallets.
 */
export async function localSecrets(store: SecretStore, paths: { secrets: string; chain: string }): Promise<LocalSecrets> {
  if (store.get(ownerPhrase) === undefined && existsSync(paths.chain) && readdirSync(paths.chain).length > 0)
    throw new Failure('secrets-missing', `${paths.secrets} is missing, but the wallets in ${paths.chain} open only with it.`, {
      advice: 'Restore it from a backup, or move the whole data folder away to start afresh.',
    })
  const phrase = async (name: string): Promise<WalletKeyPair> => {
    const words = await store.getOrCreate(name, async () => Buffer.from((await newPhrase()).join(' '), 'utf8'))
    return keyPairOfPhrase(Buffer.from(words).toString('utf8').split(' '))
  }
  const seed = (name: string): Promise<Uint8Array> => store.getOrCreate(name, () => randomBytes(32))
  const pair = async (name: string): Promise<WalletKeyPair> => keyPairFromSeed(Buffer.from(await seed(name)))
  return {
    user: await phrase('local/user phrase'),
    networkOwner: await phrase(ownerPhrase),
    proxy: await pair('local/proxy key'),
    proxyWallet: await pair('local/proxy wallet key'),
    workerWallet: await pair('local/worker wallet key'),
    clientMasterSecret: await seed('local/client master secret'),
  }
}
