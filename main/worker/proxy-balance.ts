import { Failure } from '../base/failure.ts'
import { checkPayment, type WirePayment } from '../protocol/payments/signed-payment.ts'
import type { BalanceStore, WorkerContractRecord } from './balance-store.ts'

/** SQLite and the contracts agree on this much; no honest total comes near. */
const mostTokens = (1n << 63n) - 1n

const violation = (message: string): Failure<'proxy-violation'> =>
  new Failure('proxy-violation', message, {
    advice: 'The connection was closed. What was signed before stays valid and can be paid out.',
  })

/**
 * The worker's memory of one proxy's promises: signed payments that were verified, and totals that never decrease (protocol 40 §2, §3).
 * Everything accepted is durable before it is reported.
 */
export class ProxyBalance {
  readonly #store: BalanceStore
  readonly #onSigned: (tokens: bigint) => void
  #record: WorkerContractRecord

  constructor(store: BalanceStore, record: WorkerContractRecord, onSigned: (tokens: bigint) => void) {
    this.#store = store
    this.#record = record
    this.#onSigned = onSigned
  }

  get record(): WorkerContractRecord {
    return this.#record
  }

  /**
   * The proxy's totals with its signed payment, as in a comparison, a status or after a request. None may be lower than what was told
   * before. Throws `Failure<'proxy-violation'>`: close the connection. `mustSign` refuses an empty payment; `maxMayFall` allows a lower
   * `max` after an extended comparison (the proxy lost what it had not stored).
   */
  accept(
    told: { readonly payment: WirePayment; readonly dbTokens: bigint; readonly maxTokens: bigint },
    options: { readonly mustSign?: boolean; readonly maxMayFall?: boolean } = {},
  ): void {
    const known = this.#record
    const check = this.#check(told.payment)
    if (check.state === 'refused') throw violation(`The proxy sent a payment that does not hold: ${check.reason}.`)
    if (check.state === 'empty' && options.mustSign) throw violation('The proxy did not sign its balance.')
    if (told.dbTokens > mostTokens || told.maxTokens > mostTokens || told.dbTokens < 0n || told.maxTokens < 0n)
      throw violation('The proxy told an impossible balance.')
    if (check.state === 'good' && check.tokens < known.signedTokens)
      throw violation(`The proxy signed ${check.tokens} tokens after it had signed ${known.signedTokens}.`)
    if (told.dbTokens < known.dbTokens)
      throw violation(`The proxy's stored total fell from ${known.dbTokens} to ${told.dbTokens}.`)
    if (told.maxTokens < known.maxTokens && !options.maxMayFall)
      throw violation(`The proxy's total fell from ${known.maxTokens} to ${told.maxTokens}.`)
    this.#keep({
      ...known,
      dbTokens: told.dbTokens,
      maxTokens: told.maxTokens,
      ...(check.state === 'good' && check.tokens > known.signedTokens
        ? { signedTokens: check.tokens, signedBoc: check.boc }
        : {}),
    })
  }

  /** A signed payment that came along with something else. Kept when it is good and larger; otherwise returns why it was not. */
  offer(payment: WirePayment): string | undefined {
    const check = this.#check(payment)
    if (check.state === 'empty') return undefined
    if (check.state === 'refused') return check.reason
    if (check.tokens < this.#record.signedTokens) return 'older than the known one'
    if (check.tokens > this.#record.signedTokens)
      this.#keep({ ...this.#record, signedTokens: check.tokens, signedBoc: check.boc })
    return undefined
  }

  #check(payment: WirePayment) {
    const { contract, proxyKey } = this.#record
    const check = checkPayment(payment, { kind: 'worker-payout', contract, publicKey: proxyKey })
    return check.state === 'good' && check.tokens > mostTokens ? ({ state: 'refused', reason: 'layout' } as const) : check
  }

  #keep(next: WorkerContractRecord): void {
    const before = this.#record
    if (next.signedTokens === before.signedTokens && next.dbTokens === before.dbTokens && next.maxTokens === before.maxTokens)
      return
    this.#store.save(next)
    this.#record = next
    if (next.signedTokens > before.signedTokens) this.#onSigned(next.signedTokens)
  }
}
