import { type Address, fromNano, type Transaction } from '@ton/core'
import { asError, Failure, retold } from '../../base/failure.ts'
import { pause } from '../../base/pause.ts'
import { costsOf } from '../../network/costs.ts'
import { funded } from '../../network/funding.ts'
import { type Payer, type Rehearsal, rehearse, type Stage } from '../../network/rehearsal.ts'
import type { Chain } from '../../ton/chain.ts'
import { carryOut, underWay } from '../../wallet/orders.ts'
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
 * Waits for the stages when an earlier run has sent all of their messages already; nothing is rehearsed, asked or sent then.
 * @returns their transactions; undefined when something is left to send
 * @throws Failure as `carryOutStages`
 */
export async function awaitSent(
  tool: ToolChain,
  signer: Signer,
  stages: readonly Stage[],
  operator: Operator,
): Promise<Transaction[] | undefined> {
  for (const { payer, orders } of stages)
    if ((await underWay(tool.chain, payer.address, orders)).some((lt) => lt === undefined)) return undefined
  printAll(operator, ['', 'An earlier run has sent this already; its messages are waited for, and nothing is sent again.'])
  const beforeSend = () =>
    Promise.reject(
      new Failure('order-refused', 'The message of the earlier run was refused meanwhile.', {
        money: 'Nothing was sent now. The attached value came back to the wallet, less the fees.',
        advice: 'Run the same command again: it shows the plan and asks.',
      }),
    )
  return carryOutStages(tool, signer, stages, operator, beforeSend)
}

/**
 * Sends the stages one after the other, each followed until its contracts took it.
 * @param beforeSend called right before each message is handed over; what it throws ends the work
 * @returns one transaction an order, in which its destination took it
 * @throws Failure that says which stages were done before
 */
export async function carryOutStages(
  tool: ToolChain,
  signer: Signer,
  stages: readonly Stage[],
  operator: Operator,
  beforeSend: () => Promise<void> = async () => undefined,
): Promise<Transaction[]> {
  const faucet = tool.faucet === null ? null : faucetSigner({ chain: tool.chain, faucet: tool.faucet })
  const all = stages.flatMap(({ orders }) => orders).length
  const done: Transaction[] = []
  const timing = {
    beforeSend: async () => {
      await beforeSend()
      operator.sending()
    },
  }
  try {
    for (const { payer, orders } of stages) {
      const by = payer.address.equals(signer.payer.address) ? signer : faucet
      if (by === null) throw new TypeError('a stage of a wallet that nobody opened')
      operator.print(`Sending: ${orders.map(({ title }) => title).join(', ')} …`)
      for (const [index, transaction] of (await carryOut(tool.chain, by.sender, orders, timing)).entries()) {
        done.push(transaction)
        operator.print(`  done ${done.length} of ${all}: ${orders[index]?.title ?? ''} (${transactionText(transaction)})`)
      }
    }
    return done
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    const before = done.length === 0 ? '' : ` ${done.length} of ${all} messages were carried out before.`
    throw retold(thrown, {
      money: `${thrown.money ?? 'It is not known whether a message left the wallet.'}${before}`,
      advice: thrown.advice ?? runAgain,
    })
  } finally {
    await faucet?.close()
  }
}

const runAgain = 'Run the same command again: what is on chain is not sent twice.'
const catchUpMs = 60_000

/** Reads after the endpoint shows what was done: behind one address there are often several servers, some of them late. */
export async function afterTransactions<T>(
  chain: Chain,
  address: Address,
  transactions: readonly Transaction[],
  read: () => Promise<T>,
): Promise<T> {
  const account = BigInt(`0x${address.hash.toString('hex')}`)
  const lt = transactions.filter((one) => one.address === account).reduce((most, one) => (one.lt > most ? one.lt : most), 0n)
  const endMs = performance.now() + catchUpMs
  while (((await chain.account(address)).last?.lt ?? 0n) < lt && performance.now() < endMs) await pause(1000)
  return read()
}

/** Work after the money went: whatever fails then says what is on chain already. */
export async function afterMoney<T>(money: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    const failure = thrown instanceof Failure ? thrown : new Failure('not-read-back', asError(thrown).message, { cause: thrown })
    throw retold(failure, { money, advice: failure.advice ?? runAgain, retryable: false })
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
