import { Failure } from '../../base/failure.ts'
import type { ProvenReceipt } from './receipt.ts'

/** The receipts of one file, the oldest first: no answer stands there twice, and the total of a contract never falls from one to the next. */
export class ReceiptSequence {
  readonly #answers = new Set<string>()
  /** By contract. */
  readonly #totals = new Map<string, bigint>()

  /** @throws Failure `receipt-twice`, `total-falls` */
  take(proven: ProvenReceipt): ProvenReceipt {
    const { receipt, contract, totalAfter } = proven
    if (this.#answers.has(receipt.requestId))
      throw new Failure('receipt-twice', 'The file has a receipt of the same answer already.')
    this.#answers.add(receipt.requestId)
    const name = contract.toString()
    if (totalAfter < (this.#totals.get(name) ?? 0n))
      throw new Failure('total-falls', 'The total after this answer is less than after an earlier one.')
    this.#totals.set(name, totalAfter)
    return proven
  }
}
