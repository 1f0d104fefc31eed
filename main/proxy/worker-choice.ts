import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { Refusal } from './refusal.ts'

/** One ready worker connection as the choice sees it. */
export interface Candidate {
  readonly enabled: boolean
  readonly running: number
  readonly limit: number
  readonly coefficient: number
  /** Mean duration of its recent queries in ms; undefined for a worker without history. */
  readonly meanMs: number | undefined
  /** Grows by one with every pick of the proxy; 0 for a worker that was never picked. */
  readonly lastPick: number
  /** 'no' = usable; 'last-resort' = failed lately; 'yes' = broke the protocol lately. */
  readonly quarantined: 'no' | 'last-resort' | 'yes'
}

/** Expected times within this factor and margin of the best count as equally fast, so that the price can decide. */
const equallyFast = { factor: 1.25, marginMs: 250 } as const

function expectedMs(candidate: Candidate, typicalMs: number): number {
  return (candidate.running + 1) * (candidate.meanMs ?? typicalMs)
}

/**
 * Picks a worker: the soonest expected completion, among about equally fast ones the cheapest, among these the one whose last
 * pick is longest ago. Differs on purpose from the reference, where the oldest connection wins every tie (50 §3, §10).
 * Throws `Refusal` 651 naming what is missing.
 */
export function chooseWorker<T extends Candidate>(candidates: readonly T[], model: string, maxCoefficient: number): T {
  const free = candidates.filter((c) => c.enabled && c.running < c.limit && c.quarantined !== 'yes')
  const fitting = free.filter((c) => c.coefficient <= maxCoefficient)
  if (fitting.length === 0) {
    const cheapest = Math.min(...free.map((c) => c.coefficient))
    throw new Refusal(
      peerErrorCodes.notReady,
      free.length === 0 ? `no ready workers for model ${model}` : `can run this query with coefficient=${cheapest}`,
    )
  }
  const healthy = fitting.filter((c) => c.quarantined === 'no')
  const pool = healthy.length > 0 ? healthy : fitting
  const known = pool.map((c) => c.meanMs).filter((ms) => ms !== undefined)
  const typical = known.length > 0 ? known.reduce((sum, ms) => sum + ms, 0) / known.length : 1
  const best = Math.min(...pool.map((c) => expectedMs(c, typical)))
  const fast = pool.filter((c) => expectedMs(c, typical) <= best * equallyFast.factor + equallyFast.marginMs)
  const [chosen] = fast.sort((a, b) => a.coefficient - b.coefficient || a.running - b.running || a.lastPick - b.lastPick)
  if (chosen === undefined) throw new Refusal(peerErrorCodes.notReady, `no ready workers for model ${model}`)
  return chosen
}
