import type { Payout } from '../../preload/api/earn.ts'
import { Failure } from '../base/failure.ts'
import type { Database } from '../storage/database.ts'
import { contractLine } from './contract-line.ts'
import { type LedgerEvent, ledgerEvent } from './ledger-event.ts'

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
  const line = contractLine(database)
  const payoutState = database.prepare<{ state: Payout['state'] }>('SELECT state FROM payout WHERE id = ?')
  const savePayout = database.prepare(
    `INSERT OR REPLACE INTO payout (id, started_at_ms, state, adjusted_tokens, expected, owner_received, node_wallet_change,
     transaction_hash, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )

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
        return line.count(event)
      case 'total':
        return line.total(event)
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
