import { Address, beginCell, contractAddress } from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton'
import { cocoonWalletInit } from '../../../../contracts/cocoon-wallet.ts'
import type { TlObject } from '../../tl/types.ts'
import { KeyRefused } from './seal-errors.ts'

/** A wallet as a worker's key names it: its Ed25519 key and what else its address depends on. */
export type OwnerWallet = TlObject<'sealed.walletW5' | 'sealed.walletCocoon'>

/** The code alone is of interest; it is the same for every key. */
const w5Code = WalletContractV5R1.create({ publicKey: Buffer.alloc(32) }).init.code

/**
 * The address that a wallet of this key has, by its code and first data: whoever signs with the key can spend what lies there. W5: a bit that
 * allows signatures, seqno 0, wallet id, key, no extensions.
 * @throws KeyRefused
 */
export function walletAddress(wallet: OwnerWallet): Address {
  const { public_key: publicKey } = wallet
  if (wallet['@type'] === 'sealed.walletCocoon') return cocoonWalletInit(publicKey, rawAddress(wallet.owner)).address
  const data = beginCell()
    .storeBit(true)
    .storeUint(0, 32)
    .storeInt(wallet.wallet_id, 32)
    .storeBuffer(Buffer.from(publicKey), 32)
    .storeBit(false)
    .endCell()
  return contractAddress(0, { code: w5Code, data })
}

/** An address in raw form, `0:` and 64 hex letters in lower case: of several forms only one is signed. Throws `KeyRefused`. */
export function rawAddress(text: string): Address {
  if (!/^(0|-1):[0-9a-f]{64}$/.test(text)) throw new KeyRefused('malformed', 'an address is not in raw form')
  return Address.parseRaw(text)
}
