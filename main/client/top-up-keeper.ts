import type { Address } from '@ton/core'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Client } from './client.ts'

/** Test coins put on the chat balance when the account is opened, and whenever it runs low. nanoton */
export const localTopUp = 5_000_000_000n
/** Below this much unspent money on the client contract the next answers could be refused. nanoton */
const lowMark = 2_500_000_000n
/** A top-up that did not go through is not tried again at once. */
const retryMs = 30_000

export interface TopUpTerms {
  /** nanoton put on the balance each time */
  readonly amount: bigint
  /** Below this much unspent money, in nanoton. */
  readonly lowMark: bigint
}

/** Keeps the balance of a client filled: the chat balance of the local network, or what an operator has asked for. */
export class TopUpKeeper {
  readonly #stopWatching: () => void
  #busy = false
  #notBeforeMs = 0
  #stopped = false

  constructor(client: Client, logger: Logger, terms: TopUpTerms = { amount: localTopUp, lowMark }) {
    this.#stopWatching = client.state.onChange(({ connections }) => {
      for (const { phase, clientContract, balance, pendingCharge } of connections) {
        if (phase !== 'ready' || !clientContract || balance === undefined) continue
        if (balance - (pendingCharge ?? 0n) < terms.lowMark) void this.#topUp(client, clientContract, terms.amount, logger)
      }
    })
  }

  async #topUp(client: Client, contract: Address, amount: bigint, logger: Logger): Promise<void> {
    if (this.#busy || this.#stopped || Date.now() < this.#notBeforeMs) return
    this.#busy = true
    try {
      await client.accounts.topUp(contract, amount)
    } catch (thrown) {
      this.#notBeforeMs = Date.now() + retryMs
      logger.warn('the chat balance could not be topped up', { reason: asError(thrown).message })
    } finally {
      this.#busy = false
    }
  }

  stop(): void {
    this.#stopped = true
    this.#stopWatching()
  }
}
