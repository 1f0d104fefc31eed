import type { ClientState as ContractState } from '../../contracts/client.ts'
import { isDiskJam } from '../base/disk-jam.ts'
import { type PaymentCheck, paymentChecker, type WirePayment } from '../protocol/payments/signed-payment.ts'
import type { AccountRecord, AccountStore } from './account-store.ts'
import { type Counters, pendingCharge, shouldCharge, spendableTokens } from './budget.ts'

/** SQLite and the contracts agree on this much; no honest total comes near. */
const mostTokens = (1n << 63n) - 1n

/** Something that the proxy told and that does not add up. Money is safe: only signed payments can be charged. */
export type Deviation =
  | { readonly kind: 'payment-refused'; readonly reason: string }
  | { readonly kind: 'total-fell'; readonly from: bigint; readonly to: bigint }
  | { readonly kind: 'impossible-total' }
  /** The total grew by another amount than the request that it was told for. */
  | { readonly kind: 'growth-differs'; readonly grown: bigint; readonly told: bigint }

/**
 * One client contract as known now: what the proxy told and signed (kept in the database, never decreasing), and what the chain says
 * (protocol 30 §4).
 */
export class Account {
  readonly #store: AccountStore
  readonly #onChange: () => void
  readonly #check: (payment: WirePayment) => PaymentCheck
  #record: AccountRecord
  #chain: ContractState | undefined
  /** Total after the last request that the proxy accounted for on this connection; undefined before the first word. */
  #accounted: bigint | undefined

  constructor(store: AccountStore, record: AccountRecord, onChange: () => void) {
    this.#store = store
    this.#record = record
    this.#onChange = onChange
    this.#check = paymentChecker({ kind: 'client-charge', contract: record.contract, publicKey: record.proxyKey })
  }

  get record(): AccountRecord {
    return this.#record
  }

  /** Newest state on chain; undefined while the contract is not deployed. */
  get chain(): ContractState | undefined {
    return this.#chain
  }

  get counters(): Counters {
    const { signedTokens, dbTokens, maxTokens } = this.#record
    return { chain: this.#chain, signedTokens, committedTokens: dbTokens, maxTokens }
  }

  /** Adjusted tokens that may still be spent; undefined = without limit. */
  get spendable(): bigint | undefined {
    return spendableTokens(this.counters, this.#record.params.pricePerToken)
  }

  /** nanoton */
  get pendingCharge(): bigint {
    return pendingCharge(this.counters, this.#record.params.pricePerToken)
  }

  get wantsCharge(): boolean {
    return shouldCharge(this.counters, this.#record.params.pricePerToken)
  }

  /** The contract's newest state, by whoever read it; undefined while it is not deployed. */
  saw(state: ContractState | undefined): void {
    this.#chain = state
    // Whoever read it has noted when nothing will come back to it.
    if (state?.state === 'closed' && this.#store.find(this.#record.contract)?.closed === true)
      this.#record = { ...this.#record, closed: true }
    this.#onChange()
  }

  /** The user has agreed to open it. Noted before anything is sent, so that a sudden end makes nobody pay twice. */
  agree(opening: { readonly topUp: bigint; readonly afterLt: bigint }): void {
    this.#keep({ consented: true, openingTopUp: opening.topUp, openingAfterLt: opening.afterLt })
  }

  /** What opens it has left the wallet, or was seen on chain. */
  opened(): void {
    if (!this.#record.consented || this.#record.openingTopUp > 0n) this.#keep({ consented: true, openingTopUp: 0n })
  }

  /** Nothing was sent after all. */
  notOpened(): void {
    if (this.#record.consented) this.#keep({ consented: false, openingTopUp: 0n })
  }

  /** A signed payment: kept when it is good and larger (protocol 30 §4). Bad ones are reported, not fatal. */
  offer(payment: WirePayment): Deviation[] {
    const { signedTokens } = this.#record
    const check = this.#check(payment)
    if (check.state === 'empty') return []
    if (check.state === 'refused') return [{ kind: 'payment-refused', reason: check.reason }]
    if (check.tokens > mostTokens) return [{ kind: 'impossible-total' }]
    if (check.tokens > signedTokens) this.#note({ signedTokens: check.tokens, signedBoc: check.boc })
    return []
  }

  /** Totals that the proxy told. The largest ones stay: a total that falls is reported. */
  told(dbTokens: bigint, maxTokens: bigint): Deviation[] {
    return this.#told(dbTokens, maxTokens, this.#record.maxTokens)
  }

  #told(dbTokens: bigint, maxTokens: bigint, least: bigint, options: { readonly saveLater?: boolean } = {}): Deviation[] {
    const known = this.#record
    if (dbTokens < 0n || maxTokens < 0n || dbTokens > mostTokens || maxTokens > mostTokens) return [{ kind: 'impossible-total' }]
    this.#accounted ??= maxTokens
    const fell: Deviation[] = maxTokens < least ? [{ kind: 'total-fell', from: least, to: maxTokens }] : []
    if (dbTokens > known.dbTokens || maxTokens > known.maxTokens)
      this.#note(
        {
          dbTokens: dbTokens > known.dbTokens ? dbTokens : known.dbTokens,
          maxTokens: maxTokens > known.maxTokens ? maxTokens : known.maxTokens,
        },
        options,
      )
    return fell
  }

  /** The account of one request: the total must have grown by exactly its tokens since the last one (protocol 70 §4). */
  toldRequest(dbTokens: bigint, maxTokens: bigint, requestTokens: bigint): Deviation[] {
    const before = this.#accounted
    // The accounts of requests come in order among themselves; the answer to a question may overtake those that wait to be handled.
    const deviations = this.#told(dbTokens, maxTokens, before ?? this.#record.maxTokens, { saveLater: true })
    this.#accounted = maxTokens
    if (before !== undefined && maxTokens - before !== requestTokens)
      deviations.push({ kind: 'growth-differs', grown: maxTokens - before, told: requestTokens })
    return deviations
  }

  /** A new connection: what is told first is the new base of the growth check. */
  reconnected(): void {
    this.#accounted = undefined
  }

  /** Writes what waits to be written; the end of a connection calls it. */
  flush(): void {
    this.#store.flush()
  }

  /** A word of the proxy. A disk that refuses is no fault of the proxy: it is written when there is room, or told again after a crash. */
  #note(change: Partial<AccountRecord>, { saveLater = false }: { readonly saveLater?: boolean } = {}): void {
    const next = { ...this.#record, ...change }
    if (saveLater) this.#store.saveSoon(next)
    else
      try {
        this.#store.save(next)
      } catch (thrown) {
        if (!isDiskJam(thrown)) throw thrown
        this.#store.saveSoon(next)
      }
    this.#record = next
    this.#onChange()
  }

  /** A decision about money: durable when it returns, or it is not made. */
  #keep(change: Partial<AccountRecord>): void {
    const next = { ...this.#record, ...change }
    this.#store.save(next)
    this.#record = next
    this.#onChange()
  }
}
