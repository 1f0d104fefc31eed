import type { Address, Transaction } from '@ton/core'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { untilAborted } from '../base/until-aborted.ts'

/** Transactions a call. The endpoint may give fewer. */
const pageSize = 50
const longestPauseMs = 30_000

export interface FollowArguments {
  /** Newest first; `before` is exclusive. Each list is linked by lt and hash already (see `httpChain`). */
  readonly read: (address: Address, limit: number, before?: { lt: bigint; hash: Uint8Array }) => Promise<Transaction[]>
  readonly address: Address
  /** Exclusive. 0 means: everything that the endpoint still has. */
  readonly afterLt: bigint
  readonly signal: AbortSignal
  readonly intervalMs: number
  readonly logger: Logger
}

/**
 * Transactions oldest first, each exactly once: every look follows the chain's own pointers to the predecessor down to the last
 * one that was given out, and gives nothing out before the whole stretch is there.
 * @throws Failure `history-pruned` when the endpoint has dropped the stretch behind `afterLt`: something would be missed.
 */
export async function* watchTransactions(args: FollowArguments): AsyncGenerator<Transaction> {
  const { address, signal, logger } = args
  let doneLt = args.afterLt
  let failures = 0
  while (!signal.aborted) {
    let stretch: Transaction[] = []
    try {
      // A hanging call must not hold the watcher.
      stretch = await untilAborted(readStretch(args, doneLt), signal)
      if (failures > 0) logger.info('watching again', { address: address.toString(), failures })
      failures = 0
    } catch (thrown) {
      if (signal.aborted) return
      if (thrown instanceof Failure && thrown.code === 'history-pruned') throw thrown
      failures += 1
      if (failures === 1) logger.warn('watching failed, trying again', { address: address.toString(), error: String(thrown) })
    }
    for (const transaction of stretch) {
      if (signal.aborted) return
      doneLt = transaction.lt
      yield transaction
    }
    await pause(
      failures === 0 ? args.intervalMs : Math.min(args.intervalMs * 2 ** Math.min(failures, 10), longestPauseMs),
      signal,
    )
  }
}

async function readStretch(args: FollowArguments, doneLt: bigint): Promise<Transaction[]> {
  const newestFirst: Transaction[] = []
  let page = await args.read(args.address, doneLt === 0n ? pageSize : 8)
  for (;;) {
    for (const transaction of page) {
      if (transaction.lt <= doneLt) return newestFirst.reverse()
      newestFirst.push(transaction)
    }
    const oldest = newestFirst.at(-1)
    if (oldest === undefined) return []
    if (oldest.prevTransactionLt === 0n || oldest.prevTransactionLt <= doneLt) return newestFirst.reverse()
    const before = { lt: oldest.lt, hash: new Uint8Array(oldest.hash()) }
    page = await args.read(args.address, pageSize, before)
    const first = page[0]
    if (first === undefined) {
      if (doneLt === 0n) return newestFirst.reverse()
      throw new Failure(
        'history-pruned',
        `Transactions of ${args.address.toString()} before lt ${oldest.lt} are gone at the endpoint.`,
        {
          advice: 'Read the account as it is now, and watch from its newest transaction.',
        },
      )
    }
    if (first.lt !== oldest.prevTransactionLt) {
      throw new Failure('chain-malformed', 'The TON endpoint left out a transaction.', { retryable: true })
    }
  }
}
