import { hexOf } from '../base/hex.ts'
import type { Logger } from '../base/logger.ts'
import type { WirePayment } from '../protocol/payments/signed-payment.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { Account } from './account.ts'
import type { ClientEvent } from './options.ts'
import type { RequestBook } from './request-book.ts'

type DeviationEvent = Extract<ClientEvent, { type: 'deviation' }>

/** The account as one proxy tells it (protocol 30 §4): held against what is known, and whatever does not add up is told on. */
export class ToldAccount {
  readonly #account: Account
  readonly #requests: RequestBook
  readonly #logger: Logger
  readonly #emit: (event: ClientEvent) => void

  constructor(account: Account, requests: RequestBook, logger: Logger, emit: (event: ClientEvent) => void) {
    this.#account = account
    this.#requests = requests
    this.#logger = logger
    this.#emit = emit
  }

  /** What came with the authorization: the base of all that follows. */
  authorized(success: TlObject<'client.authorizationWithProxySuccess'>): void {
    this.#account.reconnected()
    this.#totals(success.signed_payment, success.tokens_committed_to_db, success.max_tokens)
  }

  status(status: TlObject<'client.paymentStatus'>): void {
    this.#totals(status.signed_payment, status.db_tokens, status.max_tokens)
  }

  payment(payment: WirePayment): void {
    for (const deviation of this.#account.offer(payment)) this.deviates(deviation)
  }

  /** What the proxy counted for one request. */
  request(message: TlObject<'proxy.clientRequestPayment'>): void {
    const requestId = hexOf(message.request_id)
    const counted = message.request_tokens
    if (counted < 0n) return this.deviates({ kind: 'impossible-total' })
    const deviations = [
      ...this.#account.offer(message.signed_payment),
      ...this.#account.toldRequest(message.db_tokens, message.max_tokens, counted),
    ]
    for (const deviation of deviations) this.deviates(deviation)
    const stated = this.#requests.accounted(requestId)
    if (stated === 'foreign') return this.deviates({ kind: 'foreign-request', requestId, counted })
    if (stated !== 'none-stated' && stated !== counted) this.deviates({ kind: 'request-differs', requestId, stated, counted })
    const { contract, params } = this.#account.record
    const cost = counted * params.pricePerToken
    this.#emit({ type: 'charged', clientContract: contract.toString(), requestId, tokens: counted, cost })
  }

  deviates(deviation: DeviationEvent['deviation']): void {
    this.#logger.warn('the proxy told what does not add up', { kind: deviation.kind })
    this.#emit({ type: 'deviation', clientContract: this.#account.record.contract.toString(), deviation })
  }

  #totals(payment: WirePayment, dbTokens: bigint, maxTokens: bigint): void {
    for (const deviation of [...this.#account.offer(payment), ...this.#account.told(dbTokens, maxTokens)])
      this.deviates(deviation)
  }
}
