import type { Address } from '@ton/core'
import type { ClientState as ContractState } from '../../contracts/client.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { AccountKeeper } from './account-keeper.ts'
import type { AccountRecord } from './account-store.ts'
import { RefundPace } from './owed-refund.ts'

/** Money that is on its way back from a client contract of former terms. */
export interface ReturningAccount {
  readonly contract: Address
  /** nanoton in it, without what was used and is not charged yet */
  readonly amount: bigint
  /**
   * `waiting`: the proxy is given time to pay it back by itself. `closing`: the contract was told to close. `owed`: closed by force, and the rest waits for
   * the proxy's word, or for a stake that covers it.
   */
  readonly phase: 'waiting' | 'closing' | 'owed'
  /** `closing`: when it can be closed without the proxy, in Unix ms. */
  readonly unlockAtMs?: number
}

export interface OldAccountsOptions {
  readonly root: Watchable<RootConfig | null>
  readonly accounts: Pick<AccountKeeper, 'list' | 'read' | 'payable' | 'requestRefund'>
  readonly logger: Logger
  readonly everyMs: number
  /** First pause after a closed contract was asked for what it owes. */
  readonly owedPauseMs: number
}

/** Less than this costs more than it brings: closing takes up to two messages. nanoton */
const worthClosing = 100_000_000n
/** Clocks of chain and computer differ a little. */
const clockMarginMs = 3_000
/** Contracts of the present terms are looked at only so often: few of them are closed. */
const presentEvery = 6
/** A message that had no effect is not repeated before this. */
const retryMs = 120_000

/**
 * Brings the money of outdated client contracts back (protocol 30 §5 rules 2 and 3, §6): new terms give new contract addresses, and nobody uses the
 * old ones any more. Every contract ever used is looked at, also after a restart.
 */
export class OldAccounts {
  readonly #options: OldAccountsOptions
  readonly #returning = new Signal<readonly ReturningAccount[]>([])
  /** When this run of the app first saw the contract outdated. */
  readonly #seenAtMs = new Map<string, number>()
  readonly #notBeforeMs = new Map<string, number>()
  readonly #pace: RefundPace
  /** First requests: one that the proxy contract refuses leaves the contract open, and each costs fees. */
  readonly #firstPace: RefundPace
  #looks = 0

  constructor(options: OldAccountsOptions) {
    this.#options = options
    this.#pace = new RefundPace(options.owedPauseMs)
    this.#firstPace = new RefundPace(options.owedPauseMs)
  }

  /** Oldest first; empty when nothing is outstanding. */
  get returning(): Watchable<readonly ReturningAccount[]> {
    return this.#returning
  }

  /** Looks and acts until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const root = this.#options.root.value
      if (root !== null) await this.#look(root, signal)
      await pause(this.#options.everyMs, signal)
    }
  }

  async #look(root: RootConfig, signal: AbortSignal): Promise<void> {
    const { accounts, logger } = this.#options
    const found: ReturningAccount[] = []
    const due: Address[] = []
    const looksAtAll = this.#looks++ % presentEvery === 0
    for (const record of accounts.list(root.address)) {
      if (signal.aborted) return
      const isPresent = record.params.paramsVersion >= root.params.paramsVersion
      if (record.closed || !record.consented || (isPresent && !looksAtAll)) continue
      try {
        const state = await accounts.read(record.contract)
        // Those of the present terms are in use, unless their owner has closed them.
        if (isPresent && state?.state !== 'closed') continue
        const account = state && returningAccount(record, state)
        if (account === undefined) continue
        found.push(account)
        if (state !== undefined && (await this.#isDue(record, state, Date.now()))) due.push(record.contract)
      } catch (thrown) {
        logger.warn('an older client contract could not be read', { reason: asError(thrown).message })
      }
    }
    if (found.length > 0 || this.#returning.value.length > 0) this.#returning.set(found)
    for (const contract of due) if (!signal.aborted) await this.#requestRefund(contract)
  }

  /**
   * Whether the owner has to act now: begin to close when the proxy has had its time, end it when the waiting time is over, and ask for what a
   * closed contract still owes when something would come.
   */
  async #isDue(record: AccountRecord, state: ContractState, nowMs: number): Promise<boolean> {
    const name = record.contract.toString()
    if (state.state === 'closed') {
      if (!this.#pace.mayAsk(name, nowMs) || (await this.#options.accounts.payable(record.contract, state)) === 0n) return false
      this.#pace.asked(name, state.balance, nowMs)
      return true
    }
    const seenAtMs = this.#seenAtMs.get(name) ?? nowMs
    this.#seenAtMs.set(name, seenAtMs)
    if (nowMs < (this.#notBeforeMs.get(name) ?? 0)) return false
    const { proxyDelaySec, clientDelaySec } = record.params
    const graceMs = Math.max(0, (proxyDelaySec - clientDelaySec) * 500)
    const due =
      state.state === 'normal'
        ? nowMs >= seenAtMs + graceMs && this.#firstPace.mayAsk(name, nowMs)
        : state.state === 'closing' && nowMs > state.unlockAtSec * 1000 + clockMarginMs
    if (due) this.#notBeforeMs.set(name, nowMs + retryMs)
    return due
  }

  async #requestRefund(contract: Address): Promise<void> {
    const { accounts, logger } = this.#options
    const name = contract.toString()
    try {
      const { state } = await accounts.requestRefund(contract)
      // It had its effect, so the next step need not wait.
      this.#notBeforeMs.delete(name)
      if (state === 'closing') this.#firstPace.asked(name, 0n, Date.now())
      logger.info('an older client contract goes back to its owner', { contract: name, state })
    } catch (thrown) {
      if (thrown instanceof Failure && thrown.code === 'not-confirmed') this.#firstPace.asked(name, 0n, Date.now())
      logger.warn('an older client contract could not be closed', { reason: asError(thrown).message })
    }
  }
}

/** Undefined when nothing worth the messages is left. */
function returningAccount(record: AccountRecord, state: ContractState): ReturningAccount | undefined {
  const { contract, maxTokens, params } = record
  const unpaid = maxTokens > state.tokensUsed ? (maxTokens - state.tokensUsed) * params.pricePerToken : 0n
  const amount = state.balance - unpaid
  if (amount < worthClosing) return undefined
  switch (state.state) {
    case 'normal':
      return { contract, amount, phase: 'waiting' }
    case 'closing':
      return { contract, amount, phase: 'closing', unlockAtMs: state.unlockAtSec * 1000 }
    case 'closed':
      return { contract, amount, phase: 'owed' }
  }
}
