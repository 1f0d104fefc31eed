import type { Address } from '@ton/core'
import { beginCell } from '@ton/core'
import { ATTACH } from '../../contracts/common.ts'
import type { Payout } from '../../preload/api/earn.ts'
import { exactTon } from '../base/exact-ton.ts'
import { asError, Failure, retold } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import type { BalanceStore, WorkerContractRecord } from './balance-store.ts'
import type { KnownProxy } from './handshake.ts'
import type { WorkerOptions } from './options.ts'
import { nothingToSettle, type PayoutContext, paidTokens, settle, settledByOthers } from './payout.ts'
import type { WorkerEvent } from './worker-event.ts'

/** Contracts that have paid all that is known here are looked at only so often: a word about more may have got lost. */
const paidEvery = 30

export interface CashierContext {
  readonly options: WorkerOptions
  readonly store: BalanceStore
  readonly emit: (event: WorkerEvent) => void
  /** What is signed and not paid out has changed. */
  readonly onUnpaid: () => void
}

/** Some contracts have paid, and one has not. */
function partly(failure: Error, payouts: readonly Payout[]): Error {
  if (!(failure instanceof Failure)) return failure
  const received = payouts.reduce((sum, { ownerReceived = 0n }) => sum + ownerReceived, 0n)
  return retold(failure, {
    money: {
      text: `The other payouts went through: ${exactTon(received)}.`,
      words: { code: 'others-paid-out', values: { receivedNano: received.toString() } },
    },
  })
}

/** The money of a worker: deploys its contracts, reads what they have paid, and pays out what proxies have signed (protocol 40 §2, §8). */
export class Cashier {
  readonly #context: CashierContext
  readonly #options: WorkerOptions
  /** Adjusted tokens that the contracts on chain have paid, by contract address; none is known before it was read. */
  readonly #paid = new Map<string, bigint>()
  /** Contract whose payout is under way. */
  #paidNow: string | undefined
  /** Contracts with an automatic payout under way. */
  readonly #paying = new Set<string>()
  #settling: Promise<unknown> = Promise.resolve()

  constructor(context: CashierContext) {
    this.#context = context
    this.#options = context.options
  }

  /** Resolves when no payout is under way. */
  async idle(): Promise<void> {
    await this.#settling
  }

  /** See `Worker.settle`. */
  settle(contract?: Address): Promise<Payout> {
    const payout = this.#settling.then(() => this.#settle(contract))
    this.#settling = payout.catch(() => undefined)
    return payout
  }

  /** What a contract has paid by the last look, adjusted tokens, and whether a payout of it is under way. */
  paidOut(contract: Address): { readonly tokens: bigint; readonly underWay: boolean } {
    const name = contract.toString()
    return { tokens: this.#paid.get(name) ?? 0n, underWay: this.#paidNow === name }
  }

  /** See `Worker.settleAll`. */
  async settleAll(): Promise<Payout[]> {
    const payouts: Payout[] = []
    let failure: Error | undefined
    for (const { contract } of this.contracts()) {
      try {
        payouts.push(await this.settle(contract))
      } catch (thrown) {
        if (!(thrown instanceof Failure && thrown.code === 'nothing-to-settle')) failure ??= asError(thrown)
      }
    }
    if (failure !== undefined) throw payouts.length === 0 ? failure : partly(failure, payouts)
    // Where there is nothing at all, it says why.
    return payouts.length === 0 ? [await this.settle()] : payouts
  }

  /** Worker contracts of this network with what their proxies signed; oldest first. */
  contracts(): readonly WorkerContractRecord[] {
    const root = this.#options.root.value
    return root === null ? [] : this.#context.store.ofNetwork(root.address.toString())
  }

  async #settle(contract: Address | undefined): Promise<Payout> {
    const { money, root } = this.#options
    if (money === undefined) throw new Failure('no-blockchain', 'This network has no blockchain, so nothing can be paid out.')
    if (root.value === null)
      throw new Failure('network-unknown', 'The network contract has not been read yet.', { retryable: true })
    const records = this.contracts().filter((record) => contract === undefined || record.contract.equals(contract))
    const open: { record: WorkerContractRecord; worth: bigint }[] = []
    const paidByOthers: { record: WorkerContractRecord; before: bigint }[] = []
    for (const record of records) {
      const before = this.#paid.get(record.contract.toString())
      const paid = await this.readPaid(record.contract)
      const worth = (record.signedTokens - paid) * record.feePerToken
      if (worth > 0n) open.push({ record, worth })
      else if (before !== undefined && before < record.signedTokens) paidByOthers.push({ record, before })
    }
    open.sort((one, other) => (one.worth < other.worth ? 1 : -1))
    const context: PayoutContext = {
      ...money,
      owner: this.#options.owner,
      timeoutMs: this.#options.payoutTimeoutMs ?? 120_000,
      now: Date.now,
      report: (report) => this.#context.emit({ type: 'payout', payout: report }),
    }
    const first = open[0]?.record
    if (first === undefined) {
      // What was open at the last look was paid out since, by the proxy or somebody else: that is what was wanted.
      const [done] = paidByOthers
      if (done === undefined) throw nothingToSettle()
      return await settledByOthers(done.record, done.before, context)
    }
    this.#paidNow = first.contract.toString()
    try {
      const payout = await settle(first, context)
      await this.readPaid(first.contract)
      return payout
    } finally {
      this.#paidNow = undefined
    }
  }

  /** Follows what the contracts have paid, also those of former terms, which no connection asks about any more: their proxy pays them by itself. */
  async follow(signal: AbortSignal): Promise<void> {
    const { root, logger, paymentStatusMs: [, everyMs] = [0, 20_000] } = this.#options
    for await (const config of root.values(signal)) if (config !== null) break
    for (let looks = 0; !signal.aborted; await pause(everyMs, signal)) {
      const looksAtAll = looks++ % paidEvery === 0
      for (const { contract, maxTokens, signedTokens } of this.contracts()) {
        if (signal.aborted) return
        const paid = this.#paid.get(contract.toString())
        if (!looksAtAll && paid !== undefined && paid >= maxTokens && paid >= signedTokens) continue
        await this.readPaid(contract).catch((thrown: unknown) => {
          logger.warn('a worker contract could not be read', { reason: asError(thrown).message })
        })
      }
    }
  }

  /** Reads what the contract has paid, and tells when it grew. */
  async readPaid(contract: Address): Promise<bigint> {
    const { money } = this.#options
    const tokens = money === undefined ? 0n : await paidTokens(money.chain, contract)
    const name = contract.toString()
    if (tokens > (this.#paid.get(name) ?? 0n)) this.#context.emit({ type: 'settled', workerContract: name, tokens })
    const isFirst = !this.#paid.has(name)
    this.#paid.set(name, tokens)
    this.#context.onUnpaid()
    // Enough may have been signed already; until now it was not known what of it is paid.
    if (isFirst) this.#payAutomatically(contract)
    return tokens
  }

  /** First contact: the worker contract must exist before anything can be paid out of it (protocol 40 §2). */
  deployOnce({ workerContract: address, workerInit: init }: KnownProxy): void {
    const { money, logger } = this.#options
    if (money === undefined) return
    const deploy = async (): Promise<void> => {
      const { status } = await money.chain.account(address)
      if (status === 'active') return
      await money.nodeWallet.send([{ to: address, value: ATTACH.workerDeploy, body: beginCell().endCell(), init, bounce: false }])
      logger.info('worker contract deployed', { address: address.toString() })
    }
    // Payouts wait for it; if it fails, the payout message deploys the contract itself.
    this.#settling = this.#settling.then(deploy).catch((error: unknown) => {
      logger.warn('worker contract not deployed', { reason: asError(error).message })
    })
  }

  /** More is signed: pays out if that is wanted and it is enough. */
  signed(contract: Address): void {
    this.#context.onUnpaid()
    this.#payAutomatically(contract)
  }

  #payAutomatically(contract: Address): void {
    const { automaticPayoutAbove: above, money, logger } = this.#options
    const name = contract.toString()
    const record = this.#context.store.find(contract)
    if (above === undefined || money === undefined || record === undefined) return
    if (this.#paying.has(name) || this.#unpaidOf(record) * record.feePerToken < above) return
    this.#paying.add(name)
    this.settle(contract)
      .catch((error: unknown) => logger.warn('automatic payout failed', { reason: asError(error).message }))
      .finally(() => this.#paying.delete(name))
  }

  /** Adjusted tokens signed and not paid out yet, what they are worth in nanoton, and on how many contracts; without those that were not read yet. */
  get unpaid(): { tokens: bigint; worth: bigint; contracts: number } {
    let [tokens, worth, contracts] = [0n, 0n, 0]
    for (const record of this.contracts()) {
      const open = this.#unpaidOf(record)
      tokens += open
      worth += open * record.feePerToken
      if (open > 0n) contracts += 1
    }
    return { tokens, worth, contracts }
  }

  #unpaidOf({ contract, signedTokens }: WorkerContractRecord): bigint {
    const paid = this.#paid.get(contract.toString()) ?? signedTokens
    return signedTokens > paid ? signedTokens - paid : 0n
  }
}
