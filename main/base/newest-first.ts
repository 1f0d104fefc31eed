import type { Address, Transaction } from '@ton/core'

/** A `Chain`, as far as it is needed here. */
interface Readable {
  transactions(address: Address, limit: number, before?: { lt: bigint; hash: Uint8Array }): Promise<Transaction[]>
}

/**
 * Transactions of an account with a logical time above `afterLt`, newest first: read page by page, as far as they are asked for. Throws as
 * `Chain.transactions`.
 */
export async function* newestFirst(
  chain: Readable,
  address: Address,
  { afterLt = 0n, pageSize = 16 }: { readonly afterLt?: bigint; readonly pageSize?: number } = {},
): AsyncGenerator<Transaction, void, undefined> {
  let before: { lt: bigint; hash: Uint8Array } | undefined
  for (;;) {
    const page = await chain.transactions(address, pageSize, before)
    for (const transaction of page) {
      if (transaction.lt <= afterLt) return
      yield transaction
    }
    const oldest = page.at(-1)
    if (oldest === undefined || oldest.prevTransactionLt <= afterLt) return
    before = { lt: oldest.lt, hash: oldest.hash() }
  }
}
