import type { Address } from '@ton/core'
import { randomQueryId } from '../../contracts/common.ts'
import { type HashSigner, type PaymentKind, signedBoc, signMessage } from '../../contracts/signed.ts'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { Account } from './account.ts'
import type { Ledger } from './ledger.ts'

export interface PaymentDeskOptions {
  readonly ledger: Ledger
  readonly signer: HashSigner
  /** The proxy's wallet: named in signed messages as receiver of the surplus. */
  readonly wallet: Address
  /** How long finished requests are gathered into one commit, ms. At most 1000. */
  readonly commitDelayMs: number
  readonly logger: Logger
  /** Told when a commit failed (with the reason) and when commits work again (undefined). */
  readonly onTrouble: (error: Error | undefined) => void
}

type SignedPayment = TlObject<'proxy.signedPayment' | 'proxy.signedPaymentEmpty'>
const retryMs = 1000

/**
 * Signs what is final, and holds back every message that promises a count until that count is on disk (50 §5): a payment that a
 * peer has received must survive a crash of this process and of this machine.
 */
export class PaymentDesk {
  readonly #options: PaymentDeskOptions
  readonly #signed = new Map<string, { tokens: bigint; payment: SignedPayment }>()
  #waiting: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  /** Counts the commits; one that waits for the disk learns by it that a later one has overtaken it. */
  #round = 0
  #awaitsDisk = false
  #troubled = false

  constructor(options: PaymentDeskOptions) {
    this.#options = options
  }

  /** Payment over the tokens that are final on chain, 0 included. The same object until that number grows. */
  signed(account: Account): SignedPayment {
    const known = this.#signed.get(account.key)
    if (known !== undefined && known.tokens === account.chain) return known.payment
    const kind: PaymentKind = account.kind === 'client' ? 'client-charge' : 'worker-payout'
    const body = signMessage(
      { kind, queryId: randomQueryId(), contract: account.contract, tokens: account.chain },
      this.#options.wallet,
      this.#options.signer,
    )
    const payment: SignedPayment = { '@type': 'proxy.signedPayment', data: signedBoc(body) }
    if (this.#options.ledger.keeps(account)) this.#signed.set(account.key, { tokens: account.chain, payment })
    return payment
  }

  /** The account is gone: nothing is kept for it. */
  forget(account: Account): void {
    this.#signed.delete(account.key)
  }

  /** The payment last signed, or the empty one: what `connectedToProxy` carries (50 §2.2). */
  current(account: Account | undefined): SignedPayment {
    const known = account && this.#signed.get(account.key)
    return known === undefined || account === undefined ? { '@type': 'proxy.signedPaymentEmpty' } : this.signed(account)
  }

  /** Runs `send` as soon as everything counted until now is on disk, within the commit delay. */
  afterCommit(send: () => void): void {
    this.#waiting.push(send)
    this.#commitLater()
  }

  #commitLater(delayMs = this.#options.commitDelayMs): void {
    if (!this.#awaitsDisk) this.#timer ??= setTimeout(() => this.#commitSoon(), delayMs)
  }

  /** Commits and sends what waits, without holding up everything else until the disk has it; tries again by itself when that refuses. */
  #commitSoon(): void {
    this.#timer = undefined
    const count = this.#waiting.length
    const round = ++this.#round
    this.#awaitsDisk = true
    const over = (act: () => void): void => {
      // A commit that did wait has sent these already.
      if (round !== this.#round) return
      this.#awaitsDisk = false
      act()
    }
    this.#written().then(
      () =>
        over(() => {
          if (this.#troubled) this.#trouble(undefined)
          const ready = this.#waiting.splice(0, count)
          if (this.#waiting.length > 0) this.#commitLater()
          for (const send of ready) send()
        }),
      (thrown: unknown) =>
        over(() => {
          this.#trouble(asError(thrown))
          this.#commitLater(retryMs)
        }),
    )
  }

  async #written(): Promise<void> {
    await this.#options.ledger.commitSoon()
  }

  /** Commits now. Throws when the disk refuses: then no promise may be made. */
  commitNow(): void {
    try {
      this.#options.ledger.commit()
    } catch (thrown) {
      this.#trouble(asError(thrown))
      throw thrown
    }
    if (this.#troubled) this.#trouble(undefined)
    const ready = this.#waiting
    this.#waiting = []
    this.#round++
    this.#awaitsDisk = false
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const send of ready) send()
  }

  /** Commits and sends what waits; tries again by itself when the disk refuses. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    try {
      this.commitNow()
    } catch {
      // commitNow has reported it; the promises stay back until the disk takes the counts.
      this.#round++
      this.#awaitsDisk = false
      this.#commitLater(retryMs)
    }
  }

  #trouble(error: Error | undefined): void {
    if (error !== undefined && !this.#troubled) this.#options.logger.error('counts could not be saved', { error: error.message })
    this.#troubled = error !== undefined
    this.#options.onTrouble(error)
  }

  /** Writes what is left. Messages that still wait are sent if the disk takes the counts. */
  stop(): void {
    clearTimeout(this.#timer)
    try {
      this.commitNow()
    } catch (thrown) {
      this.#options.logger.error('counts of the last moments are lost', { error: asError(thrown).message })
    }
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#round++
  }
}
