import type { Address } from '@ton/core'
import { AccountStore } from '../client/account-store.ts'
import type { KeptWord } from '../proxy/kept-words.ts'
import type { Database } from '../storage/database.ts'
import { BalanceStore } from '../worker/balance-store.ts'

/**
 * What the client's and the worker's books of the local network hold of the proxy's word. All three books lie in one folder and belong to one
 * user, so the proxy takes this for its own memory: a lost or older proxy.db then loses no use and no earnings.
 */
export function keptWords(
  books: { readonly client: Database; readonly worker: Database },
  of: { readonly network: Address; readonly user: Address },
): KeptWord[] {
  const network = of.network.toString()
  return [
    ...new AccountStore(books.client)
      .ofNetwork(network)
      .map(
        ({ owner, contract, signedBoc, maxTokens }) =>
          ({ kind: 'client', owner, contract, signedBoc, toldTokens: maxTokens }) as const,
      ),
    ...new BalanceStore(books.worker)
      .ofNetwork(network)
      .map(
        ({ contract, signedBoc, maxTokens }) =>
          ({ kind: 'worker', owner: of.user, contract, signedBoc, toldTokens: maxTokens }) as const,
      ),
  ]
}
