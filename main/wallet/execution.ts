import type { Address, Transaction } from '@ton/core'
import type { Chain } from '../ton/chain.ts'

const pageSize = 16

export interface Execution {
  /** The transaction in which the wallet took our message. */
  readonly transaction?: Transaction
  /** True when another external message was executed after `afterLt`. */
  readonly otherSend: boolean
}

/** Looks for the execution of an external message, known by the hash of its body, above `afterLt`. Throws as `Chain.transactions`. */
export async function findExecution(chain: Chain, wallet: Address, bodyHash: Uint8Array, afterLt: bigint): Promise<Execution> {
  let otherSend = false
  let before: { lt: bigint; hash: Uint8Array } | undefined
  for (;;) {
    const page = await chain.transactions(wallet, pageSize, before)
    for (const transaction of page) {
      if (transaction.lt <= afterLt) return { otherSend }
      const message = transaction.inMessage
      if (message?.info.type !== 'external-in') continue
      if (message.body.hash().equals(bodyHash)) return { transaction, otherSend }
      otherSend = true
    }
    const oldest = page.at(-1)
    if (oldest === undefined || oldest.prevTransactionLt <= afterLt) return { otherSend }
    before = { lt: oldest.lt, hash: oldest.hash() }
  }
}
