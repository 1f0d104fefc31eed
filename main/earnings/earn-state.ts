import type { EarnState, Payout, ServedRequest } from '../../preload/api/earn.ts'
import { noPrices, type PowerSource } from '../../preload/api/electricity.ts'
import { pause } from '../base/pause.ts'
import type { Watchable } from '../base/signal.ts'
import { type EarnRole, earnStatus } from './earn-status.ts'
import type { Energy } from './energy.ts'
import type { EnergyBook } from './energy-book.ts'
import { halfHourOf, startOfLocalDay } from './half-hours.ts'
import type { Ledger, LedgerTotals, TimedSplit } from './ledger.ts'
import { netOf } from './net.ts'
import type { Split } from './split.ts'

/** What the ledger knows, as far as the Earn screen shows it. */
export interface EarnFigures {
  readonly totals: LedgerTotals
  /** Since six local midnights before today's. */
  readonly week: readonly TimedSplit[]
  /** Newest first. */
  readonly requests: readonly ServedRequest[]
  readonly payouts: readonly Payout[]
  readonly lastActiveMs: number | undefined
  /** What answering took: today, and since six local midnights before today's. */
  readonly energy: { readonly source: PowerSource; readonly today: Energy; readonly week: Energy }
}

/** Where the figures are read. */
export interface EarnBooks {
  readonly ledger: Ledger
  readonly energy: Pick<EnergyBook, 'since'> & { readonly source: PowerSource }
}

export function readFigures({ ledger, energy }: EarnBooks, nowMs: number): EarnFigures {
  return {
    totals: ledger.totals(),
    week: ledger.since(startOfLocalDay(nowMs, 6)),
    requests: ledger.requests(50),
    payouts: ledger.payouts(50),
    lastActiveMs: ledger.lastActiveMs(),
    energy: {
      source: energy.source,
      today: energy.since(startOfLocalDay(nowMs)),
      week: energy.since(startOfLocalDay(nowMs, 6)),
    },
  }
}

/** The Earn screen from what is known: ledger figures, the roles' status, and the clock. */
export function earnState(figures: EarnFigures, role: EarnRole, nowMs: number): EarnState {
  const { totals, week, energy } = figures
  const { prices = noPrices } = role
  const midnight = startOfLocalDay(nowMs)
  const today = week.filter(({ startedAtMs }) => startedAtMs >= midnight)
  const halfHours = Array.from({ length: 48 }, () => 0n)
  for (const one of today) {
    const index = halfHourOf(one.startedAtMs)
    halfHours[index] = (halfHours[index] ?? 0n) + one.counted + proven(one)
  }
  const { engine } = role
  return {
    ...earnStatus(role, figures.lastActiveMs, nowMs),
    network: role.network,
    running: role.running,
    ...('model' in engine && { model: engine.model }),
    today: sum(today),
    last7Days: sum(week),
    lifetime: proven(totals),
    counted: totals.counted,
    pending: totals.pending,
    settled: totals.settled,
    settleable: totals.pending,
    settleFeeEstimate: role.settleFeeEstimate,
    todayByHalfHour: halfHours,
    requests: [...figures.requests],
    payouts: [...figures.payouts],
    ...(role.workerFeePerToken !== undefined && { workerFeePerToken: role.workerFeePerToken }),
    ...(role.ownerAddress !== undefined && { ownerAddress: role.ownerAddress }),
    answered: totals.answered,
    cancelled: totals.cancelled,
    failed: totals.failed,
    electricity: {
      prices,
      source: energy.source,
      today: netOf(energy.today, sum(today), prices, role.network),
      last7Days: netOf(energy.week, sum(week), prices, role.network),
    },
    ...(role.diskFull !== undefined && { diskFull: role.diskFull }),
  }
}

/** Pending and settled: what a signature or the chain proves. */
const proven = ({ pending, settled }: Split): bigint => pending + settled
const sum = (parts: readonly Split[]): bigint => parts.reduce((all, part) => all + proven(part), 0n)

const leastPauseMs = 150
/** A long history costs time to sum up; the rest of the process gets this many times as much. */
const restFor = 10
/** The clock alone changes the state too: a minute without requests, midnight. */
const mostPauseMs = 15_000

/** `earn.state`: at once, after each change of ledger or roles (several at once are told as one), and as the clock goes on. */
export async function* earnStates(
  books: EarnBooks,
  role: Watchable<EarnRole>,
  signal: AbortSignal,
  now: () => number = Date.now,
): AsyncGenerator<EarnState> {
  let fresh = new AbortController()
  const ring = (): void => fresh.abort()
  const stops = [books.ledger.revision.onChange(ring), role.onChange(ring)]
  try {
    while (!signal.aborted) {
      fresh = new AbortController()
      const startedMs = performance.now()
      const state = earnState(readFigures(books, now()), role.value, now())
      const restMs = Math.max(leastPauseMs, restFor * (performance.now() - startedMs))
      yield state
      await pause(restMs, signal)
      await pause(mostPauseMs - restMs, AbortSignal.any([fresh.signal, signal]))
    }
  } finally {
    for (const stop of stops) stop()
  }
}
