import type { Address } from '@ton/core'
import type { WalletState, WalletTransaction } from '../../preload/api/system.ts'
import { asError, wordsOf } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { readHistory } from '../wallet/history.ts'
import { changes } from './changes.ts'

export interface WalletSources {
  readonly chain: Chain
  readonly user: Address
  readonly node: Address
  /** Money inside the client contract, as the client role knows it; undefined before the contract is there. */
  readonly chat: () => WalletState['chat']
  /** Money in client contracts of former terms, as the client role brings it back. */
  readonly returning: () => WalletState['returning']
}

const historyRows = 100

/**
 * What the Wallet screen shows, read from chain while somebody looks: at once, then on every change of an account.
 * `sources` gives null while the chain is not up yet.
 */
export function readWallets(sources: () => WalletSources | null, signal: AbortSignal): AsyncGenerator<WalletState> {
  let transactions: WalletTransaction[] = []
  let historyAt: bigint | undefined
  return changes(read, signal, { seen: (state) => ({ ...state, readAtMs: undefined }) })

  async function read(): Promise<WalletState> {
    const from = sources()
    if (!from) return { network: 'local', status: 'starting', transactions }
    try {
      const [user, node] = await Promise.all([from.chain.account(from.user), from.chain.account(from.node)])
      const lt = user.last?.lt
      if (lt !== undefined && lt !== historyAt) {
        transactions = await readHistory(from.chain, from.user, historyRows)
        historyAt = lt
      }
      const chat = from.chat()
      const returning = from.returning()
      return {
        network: 'local',
        status: 'ready',
        user: { address: from.user.toString({ bounceable: false }), balance: user.balance },
        node: { address: from.node.toString({ bounceable: false }), balance: node.balance },
        ...(chat === undefined ? {} : { chat }),
        ...(returning === undefined ? {} : { returning }),
        transactions,
        readAtMs: Date.now(),
      }
    } catch (thrown) {
      const words = wordsOf(thrown)
      return {
        network: 'local',
        status: 'error',
        error: asError(thrown).message,
        ...(words && { errorWords: words }),
        transactions,
      }
    }
  }
}
