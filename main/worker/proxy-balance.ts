import { isDiskJam } from '../base/disk-jam.ts'
import { Failure } from '../base/failure.ts'
import { type PaymentCheck, paymentChecker, type WirePayment } from '../protocol/payments/signed-payment.ts'
import type { BalanceStore, WorkerContractRecord } from './balance-store.ts'

/** SQLite and the contracts agree on this much; no honest total comes near. */
const mostTokens = (1n << 63n) - 1n

export const violation = (message: string): Failure<'proxy-violation'> =>
  new Failure('proxy-violation', message, {
    advice: 'The connection was closed. What was signed before stays valid and can be paid out.',
  })

/**
 * The worker's memory of one proxy's promises: signed payments that were verified, and totals that
 * decrease only after an extended comparison (protocol 40 §2, §3).
 * A payment is reported as signed once it is durable. A disk that refuses is no fault of the proxy: its word still holds it to what it told.
 */
export class ProxyBalance {
  readonly #store: BalanceStore
  readonly #onSigned: (tokens: bigint) => void
  readonly #payments: (payment: WirePayment) => PaymentCheck
  /** As on disk. */
  #record: WorkerContractRecord
  /** As told and checked; ahead of the disk only while that refuses. */
  #told: WorkerContractRecord

  constructor(store: BalanceStore, record: WorkerContractRecord, onSigned: (tokens: bigint) => void) {
    this.#store = store
    this.#record = record
    this.#told = record
    this.#onSigned = onSigned
    this.#payments = paymentChecker({ kind: 'worker-payout', contract: record.contract, publicKey: record.proxyKey })
  }

  /** What this proxy told last. */
  get told(): WorkerContractRecord {
    return this.#told
  }

  /**
   * The proxy's totals with its signed payment, as in a comparison, a status or after a request. None may be lower than what was told
   * before, but for `totalsMayFall`. Throws `Failure<'proxy-violation'>`: close the connection. `mustSign` refuses an empty payment; `totalsMayFall` allows lower totals
   * after an extended comparison: the proxy lost what it had not stored, or somebody told too much in its name. They are words alone, and a worker that
   * held a proxy to them for ever would lose it. What was signed never falls.
   * @returns whether all that was told is on disk, or will be in a moment where `saveLater` allows totals that
   */
  accept(
    told: { readonly payment: WirePayment; readonly dbTokens: bigint; readonly maxTokens: bigint },
    options: { readonly mustSign?: boolean; readonly totalsMayFall?: boolean; readonly saveLater?: boolean } = {},
  ): boolean {
    const known = this.#told
    const check = this.#check(told.payment)
    if (check.state === 'refused') throw violation(`The proxy sent a payment that does not hold: ${check.reason}.`)
    if (check.state === 'empty' && options.mustSign) throw violation('The proxy did not sign its balance.')
    if (told.dbTokens > mostTokens || told.maxTokens > mostTokens || told.dbTokens < 0n || told.maxTokens < 0n)
      throw violation('The proxy told an impossible balance.')
    if (check.state === 'good' && check.tokens < known.signedTokens)
      throw violation(`The proxy signed ${check.tokens} tokens after it had signed ${known.signedTokens}.`)
    if (told.dbTokens < known.dbTokens && !options.totalsMayFall)
      throw violation(`The proxy's stored total fell from ${known.dbTokens} to ${told.dbTokens}.`)
    if (told.maxTokens < known.maxTokens && !options.totalsMayFall)
      throw violation(`The proxy's total fell from ${known.maxTokens} to ${told.maxTokens}.`)
    const next = {
      ...known,
      dbTokens: told.dbTokens,
      maxTokens: told.maxTokens,
      ...(check.state === 'good' && check.tokens > known.signedTokens
        ? { signedTokens: check.tokens, signedBoc: check.boc }
        : {}),
    }
    if (options.saveLater !== true || next.signedTokens > this.#record.signedTokens) return this.#keep(next)
    this.#told = next
    this.#store.saveSoon(next)
    return true
  }

  /** A signed payment that came along with something else. Kept when it is good and larger; otherwise returns why it was not. */
  offer(payment: WirePayment): string | undefined {
    const check = this.#check(payment)
    if (check.state === 'empty') return undefined
    if (check.state === 'refused') return check.reason
    if (check.tokens < this.#told.signedTokens) return 'older than the known one'
    if (check.tokens === this.#told.signedTokens) return undefined
    return this.#keep({ ...this.#told, signedTokens: check.tokens, signedBoc: check.boc }) ? undefined : 'no room on the disk yet'
  }

  /** Writes what waits; the end of a connection calls it. */
  flush(): void {
    this.#store.flush()
  }

  #check(payment: WirePayment) {
    const check = this.#payments(payment)
    return check.state === 'good' && check.tokens > mostTokens ? ({ state: 'refused', reason: 'layout' } as const) : check
  }

  #keep(next: WorkerContractRecord): boolean {
    const before = this.#record
    this.#told = next
    if (next.signedTokens === before.signedTokens && next.dbTokens === before.dbTokens && next.maxTokens === before.maxTokens)
      return true
    try {
      this.#store.save(next)
    } catch (thrown) {
      if (!isDiskJam(thrown)) throw thrown
      return false
    }
    this.#record = next
    if (next.signedTokens > before.signedTokens) this.#onSigned(next.signedTokens)
    return true
  }
}
