import type { Payout } from '../../preload/api/earn.ts'
import { Failure } from '../base/failure.ts'
import type { Database } from '../storage/database.ts'
import { type LedgerEvent, ledgerEvent } from './ledger-event.ts'
import { max } from './split.ts'

type Counted = Extract<LedgerEvent, { type: 'counted' }>

/** A payout goes forward only; what the chain shows as settled is never taken back. */
const payoutOrder: Record<Payout['state'], number> = { sending: 0, confirming: 1, failed: 2, settled: 3 }

/** What was running when the app ended will tell no end any more, unless the end comes after all. */
export function endInterrupted(database: Database): void {
  database.transaction(() => {
    database.exec('UPDATE request SET interrupted = 1 WHERE result IS NULL AND started_at_ms IS NOT NULL')
    database
      .prepare("UPDATE payout SET state = 'failed', error = ? WHERE state IN ('sending', 'confirming')")
      .run('The app ended before the chain had confirmed this. What was paid shows as settled.')
  })
}

/** @returns a function that writes one event in one transaction. */
export function ledgerWriter(database: Database): (event: LedgerEvent) => void {
  const start = database.prepare(
    `INSERT INTO request (id, proxy, worker_contract, model, started_at_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET proxy = excluded.proxy, worker_contract = excluded.worker_contract, model = excluded.model,
     started_at_ms = excluded.started_at_ms WHERE started_at_ms IS NULL`,
  )
  const finish = database.prepare(
    `INSERT INTO request (id, result, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, adjusted_tokens, took_ms,
     finished_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET result = excluded.result, prompt_tokens = excluded.prompt_tokens,
     cached_tokens = excluded.cached_tokens, completion_tokens = excluded.completion_tokens,
     reasoning_tokens = excluded.reasoning_tokens, adjusted_tokens = excluded.adjusted_tokens, took_ms = excluded.took_ms,
     finished_at_ms = excluded.finished_at_ms WHERE result IS NULL`,
  )
  const mark = database.prepare(
    `INSERT INTO contract (address, signed, settled) VALUES (?, ?, ?)
     ON CONFLICT (address) DO UPDATE SET signed = max(signed, excluded.signed), settled = max(settled, excluded.settled)`,
  )
  const setFee = database.prepare(
    'INSERT INTO contract (address, fee) VALUES (?, ?) ON CONFLICT (address) DO UPDATE SET fee = excluded.fee',
  )
  const known = database.prepare('SELECT 1 FROM counted WHERE worker_contract = ? AND request_id = ?')
  const marks = database.prepare<{ signed: bigint; settled: bigint }>('SELECT signed, settled FROM contract WHERE address = ?', {
    bigints: true,
  })
  const overlapping = database.prepare<{ request_id: string; first: bigint; last: bigint }>(
    'SELECT request_id, first, last FROM counted WHERE worker_contract = ? AND forgotten = 0 AND last > ? AND first < ?',
    { bigints: true },
  )
  const forget = database.prepare('UPDATE counted SET forgotten = 1 WHERE worker_contract = ? AND request_id = ?')
  const insertCounted = database.prepare(
    'INSERT INTO counted (worker_contract, request_id, first, last, fee) VALUES (?, ?, ?, ?, ?)',
  )
  const payoutState = database.prepare<{ state: Payout['state'] }>('SELECT state FROM payout WHERE id = ?')
  const savePayout = database.prepare(
    `INSERT OR REPLACE INTO payout (id, started_at_ms, state, adjusted_tokens, expected, owner_received, node_wallet_change,
     transaction_hash, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )

  /**
   * A request that overlaps older ones is either the proxy counting anew what it forgot in a crash (the older ones are unsigned and give way),
   * or a claim beyond the growth of the total (then only the growth counts): no token is ever counted twice.
   */
  const count = (event: Counted): void => {
    const { workerContract, requestId, requestTokens, maxTokens } = event
    if (known.get(workerContract, requestId) !== undefined) return
    setFee.run(workerContract, event.workerFeePerToken)
    const { signed = 0n, settled = 0n } = marks.get(workerContract) ?? {}
    let first = max(0n, maxTokens - requestTokens)
    for (const older of overlapping.all(workerContract, first, maxTokens)) {
      if (older.first >= max(signed, settled)) forget.run(workerContract, older.request_id)
      else first = max(first, older.last)
    }
    insertCounted.run(workerContract, requestId, first > maxTokens ? maxTokens : first, maxTokens, event.workerFeePerToken)
  }

  const pay = (payout: Payout): void => {
    const before = payoutState.get(payout.id)
    if (before !== undefined && payoutOrder[before.state] > payoutOrder[payout.state]) return
    savePayout.run(
      payout.id,
      payout.startedAtMs,
      payout.state,
      payout.adjustedTokens,
      payout.expected,
      payout.ownerReceived ?? null,
      payout.nodeWalletChange ?? null,
      payout.transactionHash ?? null,
      payout.error ?? null,
    )
  }

  const write = (event: LedgerEvent): void => {
    switch (event.type) {
      case 'started':
        start.run(event.requestId, event.proxy, event.workerContract, event.model, event.startedAtMs)
        return
      case 'finished':
        finish.run(
          event.requestId,
          event.result,
          event.promptTokens,
          event.cachedTokens,
          event.completionTokens,
          event.reasoningTokens,
          event.adjustedTokens,
          event.tookMs,
          event.finishedAtMs,
        )
        return
      case 'counted':
        return count(event)
      case 'signed':
        mark.run(event.workerContract, event.tokens, 0n)
        return
      case 'settled':
        mark.run(event.workerContract, 0n, event.tokens)
        return
      case 'payout':
        return pay(event.payout)
    }
  }
  return (event) => {
    // Decoded values as they are; the schema's text form of amounts is for the page's link alone.
    const checked = ledgerEvent.safeEncode(event)
    if (!checked.success)
      throw new Failure('bad-event', `The ledger was told something impossible (${event.type}).`, { cause: checked.error })
    database.transaction(() => write(event))
  }
}
