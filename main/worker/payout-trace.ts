import type { Address, Transaction } from '@ton/core'
import { OP_EXCESSES, OP_PAYOUT, peekOperation } from '../../contracts/common.ts'
import { parseSigned, SIGNED_OPS } from '../../contracts/signed.ts'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'

/** A signed payout that a worker contract has executed, whoever sent it. */
export interface Execution {
  readonly lt: bigint
  /** Travels on to the owner's income. */
  readonly queryId: bigint
  /** Adjusted tokens in total that the contract has paid with it. */
  readonly tokens: bigint
}

const recentTransactions = 50

const unconfirmed = (): Failure<'payout-unconfirmed'> =>
  new Failure('payout-unconfirmed', 'The payout was sent, but the chain has not confirmed it in time.', {
    advice: 'Look at the history in a few minutes. Trying again cannot pay twice.',
    money: 'The signed payout stays valid until it is executed.',
    retryable: true,
  })

const operationOf = (transaction: Transaction) => {
  const message = transaction.inMessage
  return message?.info.type !== 'internal' || message.info.bounced ? null : peekOperation(message.body)
}

function isFrom(transaction: Transaction, source: Address): boolean {
  const info = transaction.inMessage?.info
  return info?.type === 'internal' && info.src.equals(source)
}

function executionOf(transaction: Transaction): Execution | null {
  const operation = operationOf(transaction)
  const { description, inMessage, lt } = transaction
  if (operation?.op !== SIGNED_OPS['worker-payout'] && operation?.op !== SIGNED_OPS['worker-last-payout']) return null
  if (description.type !== 'generic' || description.aborted || !inMessage) return null
  const { tokens } = parseSigned(inMessage.body).payload
  return tokens === undefined ? null : { lt, queryId: operation.queryId, tokens }
}

/**
 * Follows the worker contract until it has processed the message from `sender` with `queryId`. `executions`: the payouts that were executed
 * until then, oldest first, ours among them; `refusedWith`: the exit code, when ours was not.
 */
export async function executionsUntil(
  chain: Chain,
  contract: Address,
  afterLt: bigint,
  ours: { readonly sender: Address; readonly queryId: bigint },
  signal: AbortSignal,
): Promise<{ readonly executions: readonly Execution[]; readonly refusedWith?: number }> {
  const executions: Execution[] = []
  for await (const transaction of chain.watch(contract, afterLt, signal)) {
    const execution = executionOf(transaction)
    if (execution !== null) executions.push(execution)
    // The query id alone is not enough: it belongs to the signed payment, which anybody may have sent.
    if (operationOf(transaction)?.queryId !== ours.queryId || !isFrom(transaction, ours.sender)) continue
    if (execution !== null) return { executions }
    const { description } = transaction
    const phase = description.type === 'generic' && description.computePhase.type === 'vm' ? description.computePhase : undefined
    return { executions, refusedWith: phase?.exitCode ?? -1 }
  }
  throw unconfirmed()
}

/** Payouts above `sinceTokens` among the newest transactions of the contract, oldest first. */
export async function recentExecutions(chain: Chain, contract: Address, sinceTokens: bigint): Promise<Execution[]> {
  const newest = await chain.transactions(contract, recentTransactions)
  return newest
    .map(executionOf)
    .filter((execution) => execution !== null && execution.tokens > sinceTokens)
    .filter((execution) => execution !== null)
    .reverse()
}

/** What the owner received from the proxy contract for one payout. */
export async function incomeOf(
  chain: Chain,
  from: { readonly owner: Address; readonly proxyContract: Address; readonly execution: Execution },
  signal: AbortSignal,
): Promise<{ readonly nano: bigint; readonly hash: string }> {
  const { owner, proxyContract, execution } = from
  // A message is received at a later logical time than that at which its cause was sent.
  for await (const transaction of chain.watch(owner, execution.lt, signal)) {
    const operation = operationOf(transaction)
    if (operation?.op !== OP_PAYOUT || operation.queryId !== execution.queryId) continue
    if (!isFrom(transaction, proxyContract)) continue
    return { nano: creditOf(transaction), hash: transaction.hash().toString('hex') }
  }
  throw unconfirmed()
}

/**
 * Change of the node wallet by a payout: the message it sent with its fees, and what came back: the surplus, the bounced rest of a message
 * that was refused, or nothing (`kept`). Each transaction changes a balance by what came in, less its fees, less what went out with its
 * forwarding fees.
 */
export async function walletChangeOf(
  chain: Chain,
  from: { readonly wallet: Address; readonly afterLt: bigint; readonly contract: Address; readonly queryId: bigint },
  way: 'excesses' | 'bounce' | 'kept',
  signal: AbortSignal,
): Promise<bigint> {
  const { wallet, afterLt, contract, queryId } = from
  let change = 0n
  let hasSent = false
  for await (const transaction of chain.watch(wallet, afterLt, signal)) {
    const sends = [...transaction.outMessages.values()].some(({ info, body }) => {
      return info.type === 'internal' && info.dest.equals(contract) && peekOperation(body)?.queryId === queryId
    })
    const returns = hasSent && comesBack(transaction, way, contract, queryId)
    if (sends || returns) change += changeOf(transaction)
    hasSent ||= sends
    if (returns || (hasSent && way === 'kept')) return change
  }
  throw unconfirmed()
}

function comesBack(transaction: Transaction, way: 'excesses' | 'bounce' | 'kept', contract: Address, queryId: bigint): boolean {
  if (way === 'bounce') {
    const info = transaction.inMessage?.info
    return info?.type === 'internal' && info.bounced && isFrom(transaction, contract)
  }
  const operation = operationOf(transaction)
  return operation?.op === OP_EXCESSES && operation.queryId === queryId
}

function creditOf(transaction: Transaction): bigint {
  const info = transaction.inMessage?.info
  return info?.type === 'internal' ? info.value.coins : 0n
}

/** nanoton by which a transaction changed the balance of its account. */
function changeOf(transaction: Transaction): bigint {
  let change = creditOf(transaction) - transaction.totalFees.coins
  for (const message of transaction.outMessages.values())
    if (message.info.type === 'internal') change -= message.info.value.coins + message.info.forwardFee
  return change
}
