import { type Address, beginCell, fromNano } from '@ton/core'
import { Failure } from '../../base/failure.ts'
import { addressText } from '../../network/root-report.ts'
import type { Order } from '../../wallet/orders.ts'
import { carryOutStages, prepare, requirePossible } from './carry-out-plan.ts'
import { isToBeSent, type Operator, printAll } from './operator.ts'
import { w5Signer } from './signer.ts'
import type { ToolChain } from './tool-chain.ts'

export interface Gift {
  readonly to: Address
  /** nanoton */
  readonly amount: bigint
  readonly dryRun: boolean
}

/**
 * Gives test coins of the local chain to an address, e.g. to the wallet of a role. Each run gives anew, an equal one too.
 * Resolves with false when the operator said no or wanted to see the plan only.
 * @throws Failure `no-test-coins` on any other chain; as `carryOutStages`
 */
export async function giveCoins(tool: ToolChain, { to, amount, dryRun }: Gift, operator: Operator): Promise<boolean> {
  const { chain, faucet } = tool
  if (chain.kind !== 'local' || faucet === null)
    throw new Failure('no-test-coins', 'Test coins are given on the local chain alone.', { money: 'Nothing was sent.' })
  const signer = w5Signer(faucet, chain, 'the faucet of the local chain')
  try {
    printAll(operator, [`Test coins on ${tool.source}`, '', `  ${fromNano(amount)} TON for ${addressText(to, false)}`])
    const title = `Test coins for ${addressText(to, false)}`
    // A comment of its own: an order is known by destination and body, and an equal one that is under way is waited for, not sent.
    const body = beginCell().storeUint(0, 32).storeStringTail(`Test coins, ${new Date().toISOString()}`).endCell()
    const gift: Order = { title, message: { to, value: amount, body, mode: 1, bounce: false } }
    const prepared = await prepare(tool, signer, [{ payer: signer.payer, orders: [gift] }], operator)
    requirePossible(prepared, signer.payer)
    if (!(await isToBeSent(operator, dryRun))) return false
    await carryOutStages(tool, signer, prepared.stages, operator)
    return true
  } finally {
    await signer.close()
  }
}
