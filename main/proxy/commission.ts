import { type Address, toNano } from '@ton/core'
import { randomQueryId } from '../../contracts/common.ts'
import { parseProxyState, proxyPayoutRequest } from '../../contracts/proxy.ts'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Chain } from '../ton/chain.ts'
import type { Sender } from '../wallet/sender.ts'

export interface CommissionOptions {
  readonly chain: Chain
  readonly sender: Sender
  /** The proxy contract. */
  readonly contract: Address
  /** Paid out by itself from so much on, nanoton; undefined = only when it is asked for. */
  readonly fromNano: bigint | undefined
  readonly logger: Logger
  /** Unix ms. */
  readonly now: () => number
}

/** Attached to the request; what is not used comes back (50 §1). */
const requestNano = toNano('0.2')
/** The contract is looked at so often: each look costs a call of the endpoint. What was sent is given longer to show. */
const pauses = {
  local: { lookMs: 2_000, settleMs: 5_000 },
  testnet: { lookMs: 30_000, settleMs: 120_000 },
  mainnet: { lookMs: 30_000, settleMs: 120_000 },
} as const

/** Brings the proxy's commission from its contract to its owner (50 §6). */
export class Commission {
  readonly #o: CommissionOptions
  #asked = false
  #notBeforeMs = 0

  constructor(options: CommissionOptions) {
    this.#o = options
  }

  /** Pay out whatever is there, with the next look. */
  ask(): void {
    this.#asked = true
    this.#notBeforeMs = 0
  }

  /** One look. Never throws; what failed is tried again with a later one. */
  async tick(): Promise<void> {
    const { now, logger } = this.#o
    if (now() < this.#notBeforeMs || (this.#o.fromNano === undefined && !this.#asked)) return
    this.#notBeforeMs = now() + pauses[this.#o.chain.kind].lookMs
    try {
      await this.#look()
    } catch (thrown) {
      logger.warn('the commission was not paid out', { error: asError(thrown).message })
    }
  }

  async #look(): Promise<void> {
    const { chain, sender, contract, fromNano, logger, now } = this.#o
    const { data } = await chain.account(contract)
    if (data === null) return
    const { state, balance } = parseProxyState(data)
    const asked = this.#asked
    if (balance === 0n || state === 'closed') this.#asked = false
    if (state === 'closed' || balance === 0n || !(asked || (fromNano !== undefined && balance >= fromNano))) return
    const body = proxyPayoutRequest({ queryId: randomQueryId(), excesses: sender.address })
    await sender.send([{ to: contract, value: requestNano, body, bounce: true }])
    this.#asked = false
    this.#notBeforeMs = now() + pauses[chain.kind].settleMs
    logger.info('the commission is paid out', { contract: contract.toString(), nanoton: balance })
  }
}
