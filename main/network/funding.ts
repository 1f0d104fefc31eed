import { beginCell, toNano } from '@ton/core'
import type { Chain } from '../ton/chain.ts'
import type { Order } from '../wallet/orders.ts'
import { neededFor } from '../wallet/w5-wallet.ts'
import type { Payer, Stage } from './rehearsal.ts'

/** So that the next commands need no gift of their own. nanoton */
const spare = toNano('10')

/**
 * On the local chain a wallet that lacks test coins for its stages gets them from the faucet first.
 * @returns the stages to carry out, in order
 */
export async function funded(
  chain: Chain,
  stages: readonly Stage[],
  payer: Payer,
  faucet: Payer | null,
): Promise<readonly Stage[]> {
  if (faucet === null || faucet.address.equals(payer.address) || stages.length === 0) return stages
  const needed = stages.reduce((total, { orders }) => total + neededFor(orders.map(({ message }) => message)), 0n)
  const { balance } = await chain.account(payer.address)
  // The fees of a deployment are known only after its rehearsal; they are far below the spare coins.
  if (balance >= needed + spare / 10n) return stages
  const gift: Order = {
    title: `Test coins for ${payer.label}`,
    message: { to: payer.address, value: needed - balance + spare, body: beginCell().endCell(), mode: 1, bounce: false },
  }
  return [{ payer: faucet, orders: [gift] }, ...stages]
}
