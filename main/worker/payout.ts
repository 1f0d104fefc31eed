import { randomBytes } from 'node:crypto'
import type { Address, Transaction } from '@ton/core'
import { ATTACH, exitCodeSentence, OP_EXCESSES, OP_PAYOUT, peekOperation } from '../../contracts/common.ts'
import type { Params } from '../../contracts/params.ts'
import { parseSigned, repackSigned } from '../../contracts/signed.ts'
import { parseWorkerState, workerInit } from '../../contracts/worker.ts'
import type { Payout } from '../../preload/api/earn.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import type { Sender } from '../wallet/sender.ts'
import type { WorkerContractRecord } from './balance-store.ts'

export interface PayoutContext {
  readonly chain: Chain
  readonly nodeWallet: Sender
  readonly owner: Address
  /** Present terms of the network, for the code of a contract that is not deployed yet. */
  readonly params: Params
  readonly timeoutMs: number
  readonly now: () => number
  /** Each change of the payout, the last one with `settled` or `failed`. */
  readonly report: (payout: Payout) => void
}

export const nothingToSettle = (): Failure<'nothing-to-settle'> =>
  new Failure('nothing-to-settle', 'Everything that was signed is already paid out.', {
    advice: 'Wait until the proxy has signed the newest answers; it does so every few seconds to minutes.',
    money: 'Nothing was sent.',
  })

/** Adjusted tokens that the worker contract on chain has paid; 0 while it is not deployed. */
export async function paidTokens(chain: Chain, contract: Address): Promise<bigint> {
  const { data } = await chain.account(contract)
  return data === null ? 0n : parseWorkerState(data).tokens
}

/**
 * Sends the newest signed payout to the worker contract and waits until the chain has executed it and the owner's account shows the money
 * (protocol 40 §8). Returns the exact figures. Throws `Failure` with `nothing-to-settle`, `payout-refused`, `payout-unconfirmed`, or what
 * the wallet throws.
 */
export async function settle(record: WorkerContractRecord, context: PayoutContext): Promise<Payout> {
  const { chain, nodeWallet, owner } = context
  const { contract } = record
  if (record.signedBoc === null) throw nothingToSettle()
  const message = parseSigned(record.signedBoc)
  const { queryId } = message.payload
  const account = await chain.account(contract)
  const paid = account.data === null ? 0n : parseWorkerState(account.data).tokens
  const tokens = record.signedTokens - paid
  if (tokens <= 0n) throw nothingToSettle()

  const ownerBefore = (await chain.account(owner)).last?.lt ?? 0n
  const walletBefore = (await chain.account(nodeWallet.address)).last?.lt ?? 0n
  let payout: Payout = {
    id: randomBytes(12).toString('hex'),
    startedAtMs: context.now(),
    state: 'sending',
    adjustedTokens: Number(tokens),
    expected: tokens * record.feePerToken,
  }
  const report = (change: Partial<Payout>): Payout => {
    payout = { ...payout, ...change }
    context.report(payout)
    return payout
  }
  report({})
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), context.timeoutMs)
  try {
    const { params } = context
    const init =
      account.status === 'active'
        ? {}
        : { init: workerInit({ owner, proxy: record.proxyContract, publicKey: record.proxyKey, params }).init, bounce: false }
    await nodeWallet.send([
      { to: contract, value: ATTACH.workerPayout, body: repackSigned(message, nodeWallet.address), ...init },
    ])
    report({ state: 'confirming' })
    await executed(chain, contract, account.last?.lt ?? 0n, queryId, record.signedTokens, limit.signal)
    const income = await firstMatching(chain, owner, ownerBefore, limit.signal, (transaction) =>
      isFrom(transaction, record.proxyContract, OP_PAYOUT, queryId),
    )
    const walletChange = await walletChangeOf(chain, nodeWallet.address, walletBefore, contract, queryId, limit.signal)
    return report({
      state: 'settled',
      ownerReceived: creditOf(income),
      nodeWalletChange: walletChange,
      transactionHash: income.hash().toString('hex'),
    })
  } catch (thrown) {
    const error = asError(thrown)
    report({ state: 'failed', error: error.message })
    throw error
  } finally {
    clearTimeout(timer)
    limit.abort()
  }
}

const unconfirmed = (): Failure<'payout-unconfirmed'> =>
  new Failure('payout-unconfirmed', 'The payout was sent, but the chain has not confirmed it in time.', {
    advice: 'Look at the history in a few minutes. Trying again cannot pay twice.',
    money: 'The signed payout stays valid until it is executed.',
    retryable: true,
  })

const inBody = (transaction: Transaction) =>
  transaction.inMessage === undefined || transaction.inMessage === null ? null : peekOperation(transaction.inMessage.body)

function isFrom(transaction: Transaction, source: Address | undefined, op: number, queryId: bigint): boolean {
  const info = transaction.inMessage?.info
  if (info?.type !== 'internal' || (source !== undefined && !info.src.equals(source))) return false
  const body = inBody(transaction)
  return body?.op === op && body.queryId === queryId
}

function creditOf(transaction: Transaction): bigint {
  const info = transaction.inMessage?.info
  return info?.type === 'internal' ? info.value.coins : 0n
}

async function firstMatching(
  chain: Chain,
  address: Address,
  afterLt: bigint,
  signal: AbortSignal,
  matches: (transaction: Transaction) => boolean,
): Promise<Transaction> {
  for await (const transaction of chain.watch(address, afterLt, signal)) if (matches(transaction)) return transaction
  throw unconfirmed()
}

/** Waits for our message's transaction on the worker contract and checks that the contract took it. */
async function executed(
  chain: Chain,
  contract: Address,
  afterLt: bigint,
  queryId: bigint,
  signedTokens: bigint,
  signal: AbortSignal,
): Promise<void> {
  const transaction = await firstMatching(chain, contract, afterLt, signal, (one) => inBody(one)?.queryId === queryId)
  const { description } = transaction
  const phase = description.type === 'generic' && description.computePhase.type === 'vm' ? description.computePhase : undefined
  if (phase?.success && (await paidTokens(chain, contract)) >= signedTokens) return
  throw new Failure('payout-refused', `The worker contract refused the payout. ${exitCodeSentence(phase?.exitCode ?? -1)}`, {
    money: 'Nothing was paid out. The unused gas came back to the node wallet.',
  })
}

/**
 * Change of the node wallet by the payout: the message it sent with its fees, and the surplus that came back. Each transaction changes a
 * balance by what came in, less its fees, less what went out with its forwarding fees.
 */
async function walletChangeOf(
  chain: Chain,
  wallet: Address,
  afterLt: bigint,
  contract: Address,
  queryId: bigint,
  signal: AbortSignal,
): Promise<bigint> {
  let change = 0n
  for await (const transaction of chain.watch(wallet, afterLt, signal)) {
    const sent = [...transaction.outMessages.values()].filter((message) => {
      const { info } = message
      return info.type === 'internal' && info.dest.equals(contract) && peekOperation(message.body)?.queryId === queryId
    })
    const returned = isFrom(transaction, undefined, OP_EXCESSES, queryId)
    if (sent.length > 0 || returned) change += changeOf(transaction)
    if (returned) return change
  }
  throw unconfirmed()
}

/** nanoton by which a transaction changed the balance of its account. */
export function changeOf(transaction: Transaction): bigint {
  let change = creditOf(transaction) - transaction.totalFees.coins
  for (const message of transaction.outMessages.values())
    if (message.info.type === 'internal') change -= message.info.value.coins + message.info.forwardFee
  return change
}
