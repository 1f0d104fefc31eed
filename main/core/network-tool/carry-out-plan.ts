import { fromNano, type Transaction } from '@ton/core'
import { Failure } from '../../base/failure.ts'
import { costsOf } from '../../network/costs.ts'
import { funded } from '../../network/funding.ts'
import { type Payer, type Rehearsal, rehearse, type Stage } from '../../network/rehearsal.ts'
import { carryOut } from '../../wallet/orders.ts'
import { type Operator, printAll } from './operator.ts'
import { costLines, estimateNote, messageLines } from './plan-text.ts'
import { type Signer, w5Signer } from './signer.ts'
import type { ToolChain } from './tool-chain.ts'

/** Stages ready to go: funded, rehearsed, and shown. */
export interface Prepared {
  readonly stages: readonly Stage[]
  readonly rehearsal: Rehearsal
  /** nanoton that the signer's wallet lacks; 0 when it holds enough. */
  readonly missing: bigint
}

/** Funds (on the local chain), rehearses and shows the stages. Nothing is sent. Throws Failure of the chain. */
export async function prepare(
  { chain, faucet }: ToolChain,
  signer: Signer,
  wanted: readonly Stage[],
  operator: Operator,
): Promise<Prepared> {
  const { payer } = signer
  const stages = await funded(chain, wanted, payer, faucet === null ? null : faucetSigner({ chain, faucet }).payer)
  const rehearsal = await rehearse(chain, stages)
  const { balance } = await chain.account(payer.address)
  const costs = costsOf(payer.address.toRawString(), rehearsal.stages)
  printAll(operator, [
    '',
    'Messages, in this order',
    ...messageLines(rehearsal.stages, chain.kind === 'testnet'),
    '',
    `Cost to ${payer.label}`,
    ...costLines(costs, balance),
    estimateNote,
  ])
  const gifts = stages.filter((stage) => !stage.payer.address.equals(payer.address)).flatMap(({ orders }) => orders)
  const given = gifts.reduce((sum, { message }) => sum + message.value, 0n)
  const missing = costs.needed - balance - given
  return { stages, rehearsal, missing: missing > 0n ? missing : 0n }
}

/** @throws Failure `would-be-refused`, `balance-too-low`: before anything was sent */
export function requirePossible({ rehearsal, missing }: Prepared, payer: Payer): void {
  const refused = rehearsal.stages.flatMap(({ orders }) => orders).find(({ refusal }) => refusal !== undefined)
  if (refused !== undefined)
    throw new Failure('would-be-refused', `${refused.order.title}: the contract would refuse. ${refused.refusal}`, {
      money: 'Nothing was sent.',
    })
  if (missing > 0n)
    throw new Failure('balance-too-low', `The wallet lacks about ${fromNano(missing)} TON for this.`, {
      money: 'Nothing was sent.',
      advice: `Send at least that much to ${payer.address.toString({ bounceable: false })} and run the same command again.`,
    })
}

/**
 * Sends the stages one after the other, each followed until its contracts took it.
 * @throws Failure that says which stages were done before
 */
export async function carryOutStages(
  tool: ToolChain,
  signer: Signer,
  stages: readonly Stage[],
  operator: Operator,
): Promise<void> {
  const faucet = tool.faucet === null ? null : faucetSigner({ chain: tool.chain, faucet: tool.faucet })
  const all = stages.flatMap(({ orders }) => orders).length
  let done = 0
  try {
    for (const { payer, orders } of stages) {
      const by = payer.address.equals(signer.payer.address) ? signer : faucet
      if (by === null) throw new TypeError('a stage of a wallet that nobody opened')
      operator.print(`Sending: ${orders.map(({ title }) => title).join(', ')} …`)
      const transactions = await carryOut(tool.chain, by.sender, orders)
      for (const [index, transaction] of transactions.entries()) {
        done += 1
        operator.print(`  done ${done} of ${all}: ${orders[index]?.title ?? ''} (${transactionText(transaction)})`)
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    const before = done === 0 ? '' : ` ${done} of ${all} messages were carried out before.`
    throw new Failure(thrown.code, thrown.message, {
      money: `${thrown.money ?? 'What was sent is on chain.'}${before}`,
      advice: thrown.advice ?? 'Run the same command again: what is on chain is not sent twice.',
      retryable: thrown.retryable,
      cause: thrown,
    })
  } finally {
    await faucet?.close()
  }
}

function faucetSigner({
  chain,
  faucet,
}: Pick<ToolChain, 'chain'> & { readonly faucet: NonNullable<ToolChain['faucet']> }): Signer {
  return w5Signer(faucet, chain, 'the faucet of the local chain')
}

function transactionText(transaction: Transaction): string {
  return `transaction ${transaction.hash().toString('hex')}, lt ${transaction.lt}`
}
