import { randomBytes } from 'node:crypto'
import type { Address } from '@ton/core'
import { ATTACH, exitCodeSentence } from '../../contracts/common.ts'
import { parseSigned, repackSigned } from '../../contracts/signed.ts'
import { parseWorkerState } from '../../contracts/worker.ts'
import type { Payout } from '../../preload/api/earn.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import type { Sender } from '../wallet/sender.ts'
import type { WorkerContractRecord } from './balance-store.ts'
import { type Execution, executionsUntil, incomeOf, recentExecutions, walletChangeOf } from './payout-trace.ts'

export interface PayoutContext {
  readonly chain: Chain
  readonly nodeWallet: Sender
  readonly owner: Address
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

const notDeployed = (): Failure<'contract-not-deployed'> =>
  new Failure('contract-not-deployed', 'This worker contract is of former terms of the network and was never deployed.', {
    advice: 'The proxy pays it out when it closes its contract of those terms.',
    money: 'Nothing was sent.',
  })

/** Adjusted tokens that the worker contract on chain has paid; 0 while it is not deployed. */
export async function paidTokens(chain: Chain, contract: Address): Promise<bigint> {
  const { data } = await chain.account(contract)
  return data === null ? 0n : parseWorkerState(data).tokens
}

/**
 * Sends the newest signed payout to the worker contract and waits until the chain has executed it and the owner's account shows the money
 * (protocol 40 §8). Anybody may send a signed payout: when the proxy or somebody else was quicker, the money has come all the same, and
 * that is what is told. Returns the exact figures. Throws `Failure` with `nothing-to-settle`, `contract-not-deployed`, `payout-refused`,
 * `payout-unconfirmed`, or what the wallet throws.
 */
export async function settle(record: WorkerContractRecord, context: PayoutContext): Promise<Payout> {
  const { chain, nodeWallet } = context
  const { contract } = record
  if (record.signedBoc === null) throw nothingToSettle()
  const message = parseSigned(record.signedBoc)
  const { queryId } = message.payload
  const walletBefore = (await chain.account(nodeWallet.address)).last?.lt ?? 0n
  const account = await chain.account(contract)
  const paid = account.data === null ? 0n : parseWorkerState(account.data).tokens
  if (record.signedTokens <= paid) throw nothingToSettle()
  const contractBefore = account.last?.lt ?? 0n
  const deploys = account.status !== 'active'
  if (deploys && record.init === null) throw notDeployed()

  const payout = new ReportedPayout(record, context, paid)
  payout.report({}, record.signedTokens)
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), context.timeoutMs)
  try {
    // A contract that is not there yet cannot bounce: what it does not use stays with it.
    const init = deploys && record.init !== null ? { init: record.init, bounce: false } : {}
    await nodeWallet.send([
      { to: contract, value: ATTACH.workerPayout, body: repackSigned(message, nodeWallet.address), ...init },
    ])
    payout.report({ state: 'confirming' })
    const ours = { sender: nodeWallet.address, queryId }
    const { executions, refusedWith } = await executionsUntil(chain, contract, contractBefore, ours, limit.signal)
    const reached = executions.at(-1)?.tokens ?? 0n
    if (refusedWith !== undefined && reached < record.signedTokens)
      throw new Failure('payout-refused', `The worker contract refused the payout. ${exitCodeSentence(refusedWith)}`, {
        money: 'Nothing was paid out. The unused gas came back to the node wallet.',
      })
    const settled = await payout.received(executions, limit.signal)
    const way = refusedWith === undefined ? 'excesses' : deploys ? 'kept' : 'bounce'
    const from = { wallet: nodeWallet.address, afterLt: walletBefore, contract, queryId }
    return payout.report({ ...settled, nodeWalletChange: await walletChangeOf(chain, from, way, limit.signal) }, reached)
  } catch (thrown) {
    const error = asError(thrown)
    payout.report({ state: 'failed', error: error.message })
    throw error
  } finally {
    clearTimeout(timer)
    limit.abort()
  }
}

/**
 * The payouts above `sinceTokens` that somebody else has sent, in figures as if we had sent them, at no cost for the node wallet.
 * Throws `nothing-to-settle` when the chain does not show them, or `payout-unconfirmed`.
 */
export async function settledByOthers(
  record: WorkerContractRecord,
  sinceTokens: bigint,
  context: PayoutContext,
): Promise<Payout> {
  const executions = await recentExecutions(context.chain, record.contract, sinceTokens)
  const reached = executions.at(-1)?.tokens
  if (reached === undefined) throw nothingToSettle()
  const payout = new ReportedPayout(record, context, sinceTokens)
  const settled = await payout.received(executions, AbortSignal.timeout(context.timeoutMs))
  return payout.report({ ...settled, nodeWalletChange: 0n }, reached)
}

/** A payout on its way: each change of it is reported. */
class ReportedPayout {
  readonly #record: WorkerContractRecord
  readonly #context: PayoutContext
  readonly #paid: bigint
  #payout: Payout

  /** @param paid adjusted tokens that were paid before */
  constructor(record: WorkerContractRecord, context: PayoutContext, paid: bigint) {
    this.#record = record
    this.#context = context
    this.#paid = paid
    this.#payout = {
      id: randomBytes(12).toString('hex'),
      startedAtMs: context.now(),
      state: 'sending',
      adjustedTokens: 0,
      expected: 0n,
    }
  }

  /** @param reached adjusted tokens in total that the contract has paid with it */
  report(change: Partial<Payout>, reached?: bigint): Payout {
    const tokens = reached === undefined ? undefined : reached - this.#paid
    this.#payout = {
      ...this.#payout,
      ...change,
      ...(tokens === undefined ? {} : { adjustedTokens: Number(tokens), expected: tokens * this.#record.feePerToken }),
    }
    this.#context.report(this.#payout)
    return this.#payout
  }

  /** Waits until the owner has the money of all of them. */
  async received(executions: readonly Execution[], signal: AbortSignal) {
    const { chain, owner } = this.#context
    let ownerReceived = 0n
    let transactionHash = ''
    for (const execution of executions) {
      const income = await incomeOf(chain, { owner, proxyContract: this.#record.proxyContract, execution }, signal)
      ownerReceived += income.nano
      transactionHash = income.hash
    }
    return { state: 'settled', ownerReceived, transactionHash } as const
  }
}
