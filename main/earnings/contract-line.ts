import type { Database } from '../storage/database.ts'
import type { LedgerEvent } from './ledger-event.ts'
import { max } from './split.ts'

type Counted = Extract<LedgerEvent, { type: 'counted' }>
type Total = Extract<LedgerEvent, { type: 'total' }>

const mostTokens = (1n << 63n) - 1n

interface Marks {
  readonly signed: bigint
  readonly settled: bigint
  readonly told: bigint
}
interface Piece {
  readonly request_id: string
  readonly first: bigint
  readonly last: bigint
  readonly inferred: bigint
}

/** Each contract's line of adjusted tokens: which stretch of it is which request's, and how far the proxy's word reaches. */
export function contractLine(database: Database) {
  const bigints = { bigints: true }
  const setFee = database.prepare(
    'INSERT INTO contract (address, fee) VALUES (?, ?) ON CONFLICT (address) DO UPDATE SET fee = excluded.fee',
  )
  const setTold = database.prepare('UPDATE contract SET told = ? WHERE address = ?')
  const marksOf = database.prepare<Marks>('SELECT signed, settled, told FROM contract WHERE address = ?', bigints)
  const known = database.prepare<{ forgotten: bigint; inferred: bigint }>(
    'SELECT forgotten, inferred FROM counted WHERE worker_contract = ? AND request_id = ?',
    bigints,
  )
  const overlapping = database.prepare<Piece>(
    `SELECT request_id, first, last, inferred FROM counted
     WHERE worker_contract = ? AND forgotten = 0 AND last > ? AND first < ?`,
    bigints,
  )
  const endBelow = database.prepare<{ last: bigint | null }>(
    'SELECT max(last) AS last FROM counted WHERE worker_contract = ? AND forgotten = 0 AND last <= ?',
    bigints,
  )
  const forget = database.prepare('UPDATE counted SET forgotten = 1 WHERE worker_contract = ? AND request_id = ?')
  const remove = database.prepare('DELETE FROM counted WHERE worker_contract = ? AND request_id = ?')
  const insert = database.prepare(
    'INSERT INTO counted (worker_contract, request_id, first, last, fee, inferred) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const uncounted = database.prepare<{ id: string; tokens: bigint }>(
    `SELECT id, adjusted_tokens AS tokens FROM request r
     WHERE worker_contract = ? AND result IN ('answered', 'cancelled') AND adjusted_tokens > 0
       AND NOT EXISTS (SELECT 1 FROM counted c WHERE c.worker_contract = r.worker_contract AND c.request_id = r.id)
     ORDER BY finished_at_ms DESC, id LIMIT 1000`,
    bigints,
  )

  const read = (contract: string): Marks & { proven: bigint } => {
    const { signed = 0n, settled = 0n, told = 0n } = marksOf.get(contract) ?? {}
    return { signed, settled, told, proven: max(signed, settled) }
  }

  /**
   * The proxy told that it counted the tokens between `from` and `to`, but not for which requests: its word for them got lost, with the
   * connection or on a full disk. When the newest answers that nothing was told for make up exactly this gap, they are it. Otherwise the
   * money still shows in the totals.
   */
  const fillGap = (contract: string, from: bigint, to: bigint, fee: bigint): void => {
    if (from >= to) return
    const found: { id: string; tokens: bigint }[] = []
    let left = to - from
    for (const request of uncounted.all(contract)) {
      found.unshift(request)
      left -= request.tokens
      if (left <= 0n) break
    }
    if (left !== 0n) return
    let first = from
    for (const { id, tokens } of found) {
      insert.run(contract, id, first, first + tokens, fee, 1n)
      first += tokens
    }
  }
  const reachOf = (contract: string): bigint => endBelow.get(contract, mostTokens)?.last ?? 0n
  const gapBelow = (contract: string, end: bigint, fee: bigint): void =>
    fillGap(contract, endBelow.get(contract, end)?.last ?? 0n, end, fee)

  return {
    /**
     * A request that overlaps older ones is either the proxy counting anew what it forgot in a crash (the older ones are unsigned and give
     * way), or a claim beyond the growth of the total (then only the growth counts): no token is ever counted twice.
     */
    count: ({ workerContract, requestId, requestTokens, maxTokens, workerFeePerToken }: Counted): void => {
      const before = known.get(workerContract, requestId)
      if (before?.forgotten === 1n) return
      setFee.run(workerContract, workerFeePerToken)
      const { proven, told } = read(workerContract)
      if (before?.inferred === 0n) {
        setTold.run(max(told, maxTokens), workerContract)
        return
      }
      if (before !== undefined) remove.run(workerContract, requestId)
      let first = max(0n, maxTokens - requestTokens)
      let anew = false
      for (const older of overlapping.all(workerContract, first, maxTokens)) {
        if (older.inferred === 1n) remove.run(workerContract, older.request_id)
        else if (older.first >= proven) {
          forget.run(workerContract, older.request_id)
          anew = true
        } else first = max(first, older.last)
      }
      first = first > maxTokens ? maxTokens : first
      insert.run(workerContract, requestId, first, maxTokens, workerFeePerToken, 0n)
      setTold.run(anew ? reachOf(workerContract) : max(told, maxTokens), workerContract)
      gapBelow(workerContract, first, workerFeePerToken)
    },

    total: ({ workerContract, tokens, workerFeePerToken, lost }: Total): void => {
      setFee.run(workerContract, workerFeePerToken)
      const { proven, told } = read(workerContract)
      if (!lost) setTold.run(max(told, tokens), workerContract)
      else {
        for (const piece of overlapping.all(workerContract, tokens, mostTokens)) {
          if (piece.inferred === 1n) remove.run(workerContract, piece.request_id)
          else if (piece.first >= proven) forget.run(workerContract, piece.request_id)
        }
        setTold.run(max(tokens, reachOf(workerContract)), workerContract)
      }
      // Not for a word that is older than what is counted by now.
      if (tokens >= reachOf(workerContract)) gapBelow(workerContract, tokens, workerFeePerToken)
    },
  }
}
