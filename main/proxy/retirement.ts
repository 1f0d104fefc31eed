import { type Address, type Cell, toNano } from '@ton/core'
import { randomQueryId } from '../../contracts/common.ts'
import { parseProxyState } from '../../contracts/proxy.ts'
import { type HashSigner, type SignedKind, signMessage } from '../../contracts/signed.ts'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Chain } from '../ton/chain.ts'
import type { Sender } from '../wallet/sender.ts'
import { type Account, isRefunded } from './account.ts'
import type { Ledger } from './ledger.ts'

export interface RetirementOptions {
  readonly chain: Chain
  readonly sender: Sender
  readonly signer: HashSigner
  /** The proxy contract of former terms. */
  readonly contract: Address
  readonly ledger: Ledger
  readonly logger: Logger
  /** Unix ms. */
  readonly now: () => number
  /** The contract is closed: the owner has its stake and its commission, nothing is left to do. */
  readonly onClosed: () => void
}

/** Attached to a message that closes (50 §1); what is not used comes back. */
const closeNano = toNano('1')
const pauses = {
  local: { lookMs: 2_000, settleMs: 5_000 },
  testnet: { lookMs: 60_000, settleMs: 180_000 },
  mainnet: { lookMs: 60_000, settleMs: 180_000 },
} as const
/** Clocks of chain and computer differ a little. */
const clockMarginMs = 3_000

/**
 * Closes the contract of former terms (50 §7): asks it to close, waits until every client has its money back and every worker its pay, which the
 * settlement brings about, and ends it when its waiting time is over. The owner gets the stake and the commission.
 */
export class Retirement {
  readonly #o: RetirementOptions
  #notBeforeMs = 0
  #closed = false

  constructor(options: RetirementOptions) {
    this.#o = options
  }

  /** One look. Never throws; what failed is tried again with a later one. */
  async tick(): Promise<void> {
    const { now, chain, logger } = this.#o
    if (this.#closed || now() < this.#notBeforeMs) return
    this.#notBeforeMs = now() + pauses[chain.kind].lookMs
    try {
      await this.#look()
    } catch (thrown) {
      logger.warn('an old proxy contract could not be closed', { error: asError(thrown).message })
    }
  }

  async #look(): Promise<void> {
    const { chain, contract, now, onClosed } = this.#o
    const { data } = await chain.account(contract)
    const state = data === null ? undefined : parseProxyState(data)
    if (state === undefined || state.state === 'closed') {
      this.#closed = true
      return onClosed()
    }
    if (state.state === 'normal') return this.#send('proxy-close-request')
    if (now() > state.unlockAtSec * 1000 + clockMarginMs && this.#isSettled()) await this.#send('proxy-close-complete')
  }

  #isSettled(): boolean {
    return [...this.#o.ledger.accounts].every(isDone)
  }

  async #send(kind: SignedKind & `proxy-${string}`): Promise<void> {
    const { sender, signer, contract, logger, now, chain } = this.#o
    const body: Cell = signMessage({ kind, queryId: randomQueryId(), contract }, sender.address, signer)
    await sender.send([{ to: contract, value: closeNano, body, bounce: true }])
    this.#notBeforeMs = now() + pauses[chain.kind].settleMs
    logger.info(kind, { contract: contract.toString() })
  }
}

/** Nothing is owed over this account any more. */
export function isDone(account: Account): boolean {
  if (account.kind === 'client') return account.client === undefined || isRefunded(account.client)
  return account.chain === account.max && (account.worker?.tokens ?? 0n) >= account.max
}
