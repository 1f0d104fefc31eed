import { z } from 'zod'
import { electricity } from './electricity.ts'
import { pauseReason } from './limits.ts'
import { addressText, id, nano, timeMs, words } from './scalars.ts'
import { diskFull } from './system.ts'

/**
 * Where the money of a served request is (architecture, Networks):
 * counted = told by the proxy, not signed; pending = signed by the proxy, not on chain; settled = on chain.
 */
export const moneyState = z.enum(['counted', 'pending', 'settled'])
export type MoneyState = z.infer<typeof moneyState>

/** One served request. Only counts and times: contents are never stored on this side. */
export const servedRequest = z.object({
  id,
  startedAtMs: timeMs,
  model: z.string(),
  result: z.enum(['answering', 'answered', 'cancelled', 'failed']),
  promptTokens: z.number().int().nonnegative(),
  completionTokens: z.number().int().nonnegative(),
  adjustedTokens: z.number().int().nonnegative(),
  tookMs: z.number().nonnegative().optional(),
  /** adjustedTokens × worker fee. */
  earned: nano,
  money: moneyState.optional(),
})
export type ServedRequest = z.infer<typeof servedRequest>

/** One payout: what was expected by the signed payment, and what the chain shows was received. */
export const payout = z.object({
  id,
  startedAtMs: timeMs,
  state: z.enum(['sending', 'confirming', 'settled', 'failed']),
  adjustedTokens: z.number().int().nonnegative(),
  /** tokens newly paid × fee: what the owner must receive exactly. */
  expected: nano,
  /** Growth of the owner's balance by the payout message, read from chain. */
  ownerReceived: nano.optional(),
  /** Change of the node wallet over the same transactions (gas; negative), reported apart. */
  nodeWalletChange: nano.optional(),
  transactionHash: z.string().optional(),
  error: z.string().optional(),
})
export type Payout = z.infer<typeof payout>

/** First match of the table in ui.md §5.2; this release knows the rows that the local network can reach. */
export const earnStatus = z.enum(['error', 'not-set-up', 'paused', 'offline', 'starting', 'waiting', 'earning'])
export type EarnStatus = z.infer<typeof earnStatus>

export const earnState = z.object({
  status: earnStatus,
  /** Hero title and line, already chosen by the state table. */
  title: z.string(),
  line: z.string(),
  /** Of the line, where it holds a reason; the rest follows from `status`. */
  lineWords: words.optional(),
  /** Of the title, where `status` alone does not tell it. */
  titleWords: words.optional(),
  /** While the owner's limits pause serving: why, the first is the title; and whether that may be passed over ("Earn anyway"). */
  pause: z.object({ reasons: z.array(pauseReason), canPassOver: z.boolean() }).optional(),
  /** While nothing can be served because nothing can be kept. */
  diskFull: diskFull.optional(),
  /** One word for the rail's node tile. */
  tile: z.string(),
  /** Chain of the open network: coins of the main network alone are money. */
  network: z.enum(['local', 'testnet', 'mainnet']),
  running: z.number().int().nonnegative(),
  model: z.string().optional(),
  /** Sums of pending and settled; counted is shown per request only (ui.md §13.3). */
  today: nano,
  last7Days: nano,
  lifetime: nano,
  counted: nano,
  pending: nano,
  settled: nano,
  /** Signed by the proxy and not paid out yet: what "Settle now" would bring. */
  settleable: nano,
  settleFeeEstimate: nano,
  /** 48 half hours of the local day, pending plus settled plus counted by start time. */
  todayByHalfHour: z.array(nano).length(48),
  /** Newest first, at most 50. */
  requests: z.array(servedRequest),
  payouts: z.array(payout),
  workerFeePerToken: nano.optional(),
  ownerAddress: addressText.optional(),
  answered: z.number().int().nonnegative(),
  cancelled: z.number().int().nonnegative(),
  failed: z.number().int().nonnegative(),
  /** What answering took, and what is left of what it earned. */
  electricity,
})
export type EarnState = z.infer<typeof earnState>

export const earnCalls = {
  'earn.pause': { input: z.strictObject({}), output: z.object({}) },
  'earn.resume': { input: z.strictObject({}), output: z.object({}) },
  /**
   * Sends the newest signed payout of every contract and waits until the chain has executed them; what the owner received by all of them. Fails with
   * `nothing-to-settle`.
   */
  'earn.settle': { input: z.strictObject({}), output: z.object({ ownerReceived: nano }) },
} as const

export const earnStreams = {
  'earn.state': { input: z.strictObject({}), event: earnState },
} as const
