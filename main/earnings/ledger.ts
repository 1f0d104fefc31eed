import type { MoneyState, Payout, ServedRequest } from '../../preload/api/earn.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Database } from '../storage/database.ts'
import type { LedgerEvent } from './ledger-event.ts'
import { endInterrupted, ledgerWriter } from './ledger-writer.ts'
import { quarterMs } from './quarter.ts'
import { addSplits, max, type Split, type Stretch, tokensOf, worth, zeroSplit } from './split.ts'

export interface LedgerTotals extends Split {
  readonly answered: number
  readonly cancelled: number
  readonly failed: number
}

/** Where the money of the requests is that started in one quarter of an hour, in nanoton. */
export interface TimedSplit extends Split {
  /** Begin of the quarter. Every time zone's midnights and half hours are such moments. */
  readonly startedAtMs: number
}

/**
 * What this worker served and what of it is counted, pending and settled. Only a proxy's message, a signed payment or the chain puts money
 * into it; what the worker reckons itself never does. A repeated event changes nothing, and events may come in any order, with one
 * exception: a proxy that counts a stretch anew after a crash of its own, or tells a total that fell, replaces what it had forgotten.
 */
export interface Ledger {
  /** Durable when it returns. Throws `Failure` `bad-event` or of the storage (`disk-full`, …); nothing is changed then. */
  record(event: LedgerEvent): void
  /** Grows with each event. */
  readonly revision: Watchable<number>
  /** Of all time. `pending + settled` is exactly what was signed, also for tokens of requests that this ledger never heard of. */
  totals(): LedgerTotals
  /** Money of the counted requests that started at `sinceMs` or later, by quarters of an hour, in no order; one may come in parts. */
  since(sinceMs: number): TimedSplit[]
  /** Newest first. */
  requests(limit: number): ServedRequest[]
  /** Newest first. */
  payouts(limit: number): Payout[]
  /** When a request last started or finished; undefined before the first. */
  lastActiveMs(): number | undefined
}

interface StretchRow extends Stretch {
  fee: bigint
}
interface RequestRow extends Partial<StretchRow> {
  id: string
  started_at_ms: bigint
  model: string
  interrupted: bigint
  result: 'answered' | 'cancelled' | 'failed' | null
  prompt_tokens: bigint
  completion_tokens: bigint
  adjusted_tokens: bigint
  took_ms: number | null
  counted: bigint
}
interface ContractRow {
  address: string
  signed: bigint
  settled: bigint
  told: bigint
  fee: bigint | null
}
interface PayoutRow {
  id: string
  started_at_ms: bigint
  state: Payout['state']
  adjusted_tokens: bigint
  expected: bigint
  owner_received: bigint | null
  node_wallet_change: bigint | null
  transaction_hash: string | null
  error: string | null
}

const stretch = 'c.first, c.last, c.fee, coalesce(k.signed, 0) AS signed, coalesce(k.settled, 0) AS settled'
/** As `tokensOf`: how much of a stretch lies below a mark. */
const upTo = (mark: string): string => `max(0, min(${mark}, c.last) - c.first)`
/** Of rows with the tokens of a stretch, and how much of them is signed and settled. */
const splitSums = 'sum(tokens - signed) AS counted, sum(signed - settled) AS pending, sum(settled) AS settled'
const ofRequest = `LEFT JOIN counted c ON c.request_id = r.id AND c.worker_contract = r.worker_contract AND c.forgotten = 0
  LEFT JOIN contract k ON k.address = r.worker_contract`

/**
 * @param database opened with `earningsMigrations`. What was running when the app ended last is shown as failed from now on; the money of a
 *   payout shows by the chain in any case.
 */
export function openLedger(database: Database): Ledger {
  endInterrupted(database)
  const write = ledgerWriter(database)
  const revision = new Signal(0)
  const bigints = { bigints: true }
  const contracts = database.prepare<ContractRow>('SELECT address, signed, settled, told, fee FROM contract', bigints)
  // Stretches of a contract do not overlap, so a sum of their tokens stays below the contract's own total.
  const ofContract = database.prepare<Split & { fee: bigint }>(
    `WITH stretch AS (
       SELECT c.fee, c.last - c.first AS tokens, ${upTo('max(k.signed, k.settled)')} AS signed, ${upTo('k.settled')} AS settled
       FROM counted c JOIN contract k ON k.address = c.worker_contract WHERE c.worker_contract = ? AND c.forgotten = 0)
     SELECT fee, ${splitSums} FROM stretch GROUP BY fee`,
    bigints,
  )
  const results = database.prepare<{ name: string; n: number }>(
    `SELECT coalesce(result, 'failed') AS name, count(*) AS n FROM request
     WHERE started_at_ms IS NOT NULL AND (result IS NOT NULL OR interrupted = 1) GROUP BY name`,
  )
  const recent = database.prepare<Split & { quarter: bigint; fee: bigint }>(
    `WITH stretch AS (
       SELECT r.started_at_ms / ${quarterMs} AS quarter, c.fee, c.last - c.first AS tokens,
         ${upTo('max(coalesce(k.signed, 0), coalesce(k.settled, 0))')} AS signed, ${upTo('coalesce(k.settled, 0)')} AS settled
       FROM request r ${ofRequest} WHERE r.started_at_ms >= ? AND c.first IS NOT NULL)
     SELECT quarter, fee, ${splitSums} FROM stretch GROUP BY quarter, fee`,
    bigints,
  )
  const newest = database.prepare<RequestRow>(
    `SELECT r.*, c.first IS NOT NULL AS counted, ${stretch} FROM request r ${ofRequest}
     WHERE r.started_at_ms IS NOT NULL ORDER BY r.started_at_ms DESC, r.id LIMIT ?`,
    bigints,
  )
  const newestPayouts = database.prepare<PayoutRow>('SELECT * FROM payout ORDER BY started_at_ms DESC, id LIMIT ?', bigints)
  const active = database.prepare<{ at: number | null }>(
    'SELECT max((SELECT max(started_at_ms) FROM request), coalesce((SELECT max(finished_at_ms) FROM request), 0)) AS at',
  )

  const contractMoney = ({ address, signed, settled, told, fee }: ContractRow): Split => {
    const marks = { signed, settled }
    let covered = zeroSplit
    let money = zeroSplit
    for (const row of ofContract.all(address)) {
      covered = addSplits(covered, row)
      money = addSplits(money, worth(row, row.fee))
    }
    // Tokens in the proxy's total of requests that were never told here, e.g. because the app ended in between. Without a fee their worth is
    // unknown.
    const all = tokensOf({ first: 0n, last: max(told, max(signed, settled)), ...marks })
    const untold = {
      counted: all.counted - covered.counted,
      pending: all.pending - covered.pending,
      settled: all.settled - covered.settled,
    }
    return addSplits(money, worth(untold, fee ?? 0n))
  }

  const readTotals = (): LedgerTotals => {
    const counts = new Map(results.all().map(({ name, n }) => [name, n]))
    const of = (name: string): number => counts.get(name) ?? 0
    return {
      ...contracts.all().map(contractMoney).reduce(addSplits, zeroSplit),
      answered: of('answered'),
      cancelled: of('cancelled'),
      failed: of('failed'),
    }
  }
  // Several screens and the tray ask often; a worker that has served for months should not sum up its life each time.
  let sums: { readonly revision: number; readonly totals: LedgerTotals } | undefined
  let recentSums: { readonly revision: number; readonly sinceMs: number; readonly splits: TimedSplit[] } | undefined

  return {
    revision,
    record: (event) => {
      write(event)
      revision.update((value) => value + 1)
    },
    totals: () => {
      if (sums?.revision !== revision.value) sums = { revision: revision.value, totals: readTotals() }
      return sums.totals
    },
    since: (sinceMs) => {
      if (recentSums?.revision !== revision.value || recentSums.sinceMs !== sinceMs) {
        const rows = recent.all(sinceMs)
        const splits = rows.map((row) => ({ startedAtMs: Number(row.quarter) * quarterMs, ...worth(row, row.fee) }))
        recentSums = { revision: revision.value, sinceMs, splits }
      }
      return recentSums.splits
    },
    requests: (limit) => newest.all(limit).map(servedRequestFrom),
    payouts: (limit) => newestPayouts.all(limit).map(payoutFrom),
    lastActiveMs: () => active.get()?.at ?? undefined,
  }
}

function servedRequestFrom(row: RequestRow): ServedRequest {
  const { first, last, fee, signed = 0n, settled = 0n } = row
  const isCounted = first !== undefined && last !== undefined && fee !== undefined && row.counted === 1n
  const marks = { signed: max(signed, settled), settled }
  const money = (): MoneyState => (last === undefined || last > marks.signed ? 'counted' : last > settled ? 'pending' : 'settled')
  return {
    id: row.id,
    startedAtMs: Number(row.started_at_ms),
    model: row.model,
    result: row.result ?? (row.interrupted === 1n ? 'failed' : 'answering'),
    promptTokens: Number(row.prompt_tokens),
    completionTokens: Number(row.completion_tokens),
    adjustedTokens: Number(isCounted ? last - first : row.adjusted_tokens),
    ...(row.took_ms !== null && { tookMs: row.took_ms }),
    earned: isCounted ? (last - first) * fee : 0n,
    ...(isCounted && last > first && { money: money() }),
  }
}

function payoutFrom(row: PayoutRow): Payout {
  return {
    id: row.id,
    startedAtMs: Number(row.started_at_ms),
    state: row.state,
    adjustedTokens: Number(row.adjusted_tokens),
    expected: row.expected,
    ...(row.owner_received !== null && { ownerReceived: row.owner_received }),
    ...(row.node_wallet_change !== null && { nodeWalletChange: row.node_wallet_change }),
    ...(row.transaction_hash !== null && { transactionHash: row.transaction_hash }),
    ...(row.error !== null && { error: row.error }),
  }
}
