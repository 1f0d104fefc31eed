import { createHash } from 'node:crypto'
import { ED25519_KEY_TYPE } from '../../contracts/root.ts'
import { signKeyRegistration } from '../../contracts/root-keys.ts'
import type { HashSigner } from '../../contracts/signed.ts'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { rootOrderValue } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import type { Sender } from '../wallet/sender.ts'
import type { OwnKey } from './key-book.ts'

/** The key manager's own key, by which the network contract knows it. */
export interface ManagerKey {
  /** Ed25519, 32 bytes */
  readonly publicKey: Uint8Array
  readonly signer: HashSigner
}

/** Lists a key in the network contract, and returns when it is there. */
export type PublishKey = (root: RootConfig, key: OwnKey) => Promise<void>

/**
 * Lists keys by the key manager's signed message (protocol 95 §3, operation 9e0e1821): its owner is not needed. The same key is always the same
 * message, so one that is under way already is waited for.
 * @returns a function that throws Failure `key-manager-not-named` when the contract names another key manager, and those of `carryOut`
 */
export function keyPublisher(chain: Chain, sender: Sender, { publicKey, signer }: ManagerKey): PublishKey {
  const ownHex = Buffer.from(publicKey).toString('hex')
  return async (root, key) => {
    if (root.keyManager?.publicKey !== ownHex)
      throw new Failure('key-manager-not-named', 'The network contract names another key manager, or none.', {
        advice: `Its owner can name this one: cocoon-desktop network change-key-manager ${ownHex}`,
      })
    const registration = {
      queryId: createHash('sha256').update(key.publicKey).digest().readBigUInt64BE(),
      publicKey: key.publicKey,
      type: ED25519_KEY_TYPE,
      expiresAtSec: Math.floor(key.validUntilMs / 1000),
    }
    const body = signKeyRegistration(registration, sender.address, signer)
    await carryOut(chain, sender, [
      { title: 'List a key to encrypt for', message: { to: root.address, value: rootOrderValue, body } },
    ])
  }
}
