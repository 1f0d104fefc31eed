import type { Address, Transaction } from '@ton/core'
import { LayoutError } from '../../contracts/cells.ts'
import { parseRootState } from '../../contracts/root.ts'
import { newestFirst } from '../base/newest-first.ts'
import type { Chain } from '../ton/chain.ts'

/**
 * The network contract that `owner` deployed last with this unique id, when it is still there. Its address follows from the code it was
 * deployed with, so another version of this software cannot work it out; the owner's own transactions name it.
 * @throws Failure of the chain.
 */
export async function deployedRoot(chain: Chain, owner: Address, uniqueId: number): Promise<Address | null> {
  for await (const transaction of newestFirst(chain, owner, { pageSize: 100 }))
    for (const address of rootsIn(transaction, owner, uniqueId))
      if ((await chain.account(address)).status === 'active') return address
  return null
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
