import type { Address } from '@ton/core'
import { beginCell } from '@ton/core'
import { ATTACH } from '../../contracts/common.ts'
import type { Payout } from '../../preload/api/earn.ts'
import { asError, Failure } from '../base/failure.ts'
import type { BalanceStore, WorkerContractRecord } from './balance-store.ts'
import type { KnownProxy } from './handshake.ts'
import type { WorkerOptions } from './options.ts'
import { nothingToSettle, type PayoutContext, paidTokens, settle, settledByOthers } from './payout.ts'
import type { WorkerEvent } from './worker-event.ts'

export interface CashierContext {
  readonly options: WorkerOptions
  readonly store: BalanceStore
  readonly emit: (event: WorkerEvent) => void
  /** What is signed and not paid out has changed. */
  readonly onUnpaid: () => void
}

/** The money of a worker: deploys its contracts, reads what they have paid, and pays out what proxies have signed (protocol 40 §2, §8). */
export class Cashier {
  readonly #context: CashierContext
  readonly #options: WorkerOptions
  /** Adjusted tokens that the contracts on chain have paid, by contract address. */
  readonly #paid = new Map<string, bigint>()
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
    const payout = await settle(first, context)
    await this.readPaid(first.contract)
    return payout
  }

  /** Reads what the contract has paid, and tells when it grew. */
  async readPaid(contract: Address): Promise<bigint> {
    const { money } = this.#options
    if (money === undefined) return 0n
    const tokens = await paidTokens(money.chain, contract)
    const name = contract.toString()
    if (tokens > (this.#paid.get(name) ?? 0n)) this.#context.emit({ type: 'settled', workerContract: name, tokens })
    this.#paid.set(name, tokens)
    this.#context.onUnpaid()
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
    const above = this.#options.automaticPayoutAbove
    if (above === undefined || this.#options.money === undefined || this.unpaid.worth < above) return
    void this.settle(contract).catch((error: unknown) => {
      this.#options.logger.warn('automatic payout failed', { reason: asError(error).message })
    })
  }

  /** Adjusted tokens signed and not paid out yet, and what they are worth in nanoton. */
  get unpaid(): { tokens: bigint; worth: bigint } {
    let [tokens, worth] = [0n, 0n]
    for (const record of this.contracts()) {
      const open = record.signedTokens - (this.#paid.get(record.contract.toString()) ?? 0n)
      if (open <= 0n) continue
      tokens += open
      worth += open * record.feePerToken
    }
    return { tokens, worth }
  }
}
