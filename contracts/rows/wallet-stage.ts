import { type Address, beginCell, Cell, internal, toNano } from '@ton/core'
import { cocoonWalletBody, cocoonWalletExternal, cocoonWalletInit, walletOwnerText } from '../cocoon-wallet.ts'
import { keySigner, publicKeyOfSeed } from '../signed.ts'
import type { Outcome, Testbed } from '../testbed.ts'
import { bare } from './stage.ts'

export const walletSeed = new Uint8Array(32).fill(3)

/** How an order or its wallet differs from what works. */
export interface WalletChange {
  readonly validForSec?: number
  readonly blocked?: boolean
  readonly seqno?: number
  readonly subwallet?: number
  readonly seed?: Uint8Array
  /** nanoton */
  readonly balance?: bigint
}

/** A node's wallet with 5 TON that belongs to the proxy's owner, in the code that networks run. */
export async function walletStage(change: WalletChange): Promise<{
  bed: Testbed
  address: Address
  send: (body: Cell) => Promise<Outcome>
}> {
  const bed = await bare()
  const wallet = cocoonWalletInit(publicKeyOfSeed(walletSeed), bed.owner)
  const { address } = wallet
  await bed.send({ from: bed.owner, to: address, value: change.balance ?? toNano('5'), deploy: wallet })
  if (change.blocked === true) await bed.send({ from: bed.owner, to: address, value: toNano('0.1'), body: walletOwnerText('b') })
  return { bed, address, send: (body) => bed.sendExternal(cocoonWalletExternal(address, body)) }
}

/** A signed order to send 0.1 TON to a stranger. */
export function externalOrder(bed: Testbed, change: WalletChange): Cell {
  const transfers = [{ message: internal({ to: bed.stranger, value: toNano('0.1'), bounce: false, body: Cell.EMPTY }), mode: 1 }]
  const validUntilSec = (bed.chain.now ?? 0) + (change.validForSec ?? 60)
  const signer = keySigner(change.seed ?? walletSeed)
  const body = cocoonWalletBody({ seqno: change.seqno ?? 0, validUntilSec, transfers }, signer)
  if (change.subwallet === undefined) return body
  // Builders know the one subwallet that there is.
  const slice = body.beginParse().skip(512 + 32)
  const other = beginCell().storeUint(change.subwallet, 32).storeSlice(slice).endCell()
  return beginCell()
    .storeBuffer(Buffer.from(signer(other.hash())))
    .storeSlice(other.beginParse())
    .endCell()
}
