import type { Address, Transaction } from '@ton/core'
import { newestFirst } from '../base/newest-first.ts'
import type { Chain } from '../ton/chain.ts'

export interface Execution {
  /** The transaction in which the wallet took our message. */
  readonly transaction?: Transaction
  /** True when another external message was executed after `afterLt`. */
  readonly otherSend: boolean
}

/** Looks for the execution of an external message, known by the hash of its body, above `afterLt`. Throws as `Chain.transactions`. */
export async function findExecution(chain: Chain, wallet: Address, bodyHash: Uint8Array, afterLt: bigint): Promise<Execution> {
  let otherSend = false
  for await (const transaction of newestFirst(chain, wallet, { afterLt })) {
    const message = transaction.inMessage
    if (message?.info.type !== 'external-in') continue
    if (message.body.hash().equals(bodyHash)) return { transaction, otherSend }
    otherSend = true
  }
  return { otherSend }
}
