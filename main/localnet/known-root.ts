import type { Address, Transaction } from '@ton/core'
import { LayoutError } from '../../contracts/cells.ts'
import { parseRootState } from '../../contracts/root.ts'
import type { Chain } from '../ton/chain.ts'

const pageSize = 100

/**
 * The network contract that `owner` deployed last with this unique id, when it is still there. Its address follows from the code it was
 * deployed with, so another version of this software cannot work it out; the owner's own transactions name it.
 * @throws Failure of the chain.
 */
export async function deployedRoot(chain: Chain, owner: Address, uniqueId: number): Promise<Address | null> {
  let before: { lt: bigint; hash: Uint8Array } | undefined
  for (;;) {
    const page = await chain.transactions(owner, pageSize, before)
    for (const transaction of page) {
      for (const address of rootsIn(transaction, owner, uniqueId)) {
        if ((await chain.account(address)).status === 'active') return address
      }
    }
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return null
    before = { lt: last.lt, hash: last.hash() }
  }
}

function rootsIn(transaction: Transaction, owner: Address, uniqueId: number): Address[] {
  const found: Address[] = []
  for (const { info, init } of transaction.outMessages.values()) {
    if (info.type !== 'internal' || !init?.data) continue
    try {
      const root = parseRootState(init.data)
      if (root.owner.equals(owner) && root.params.uniqueId === uniqueId) found.push(info.dest)
    } catch (thrown) {
      // Another contract.
      if (!(thrown instanceof LayoutError)) throw thrown
    }
  }
  return found
}
