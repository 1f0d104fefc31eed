import { z } from 'zod'
import { payout } from '../../preload/api/earn.ts'

/** SQLite's largest integer; no honest total comes near. */
const tokens = z
  .bigint()
  .min(0n)
  .max((1n << 63n) - 1n)
const count = z.number().int().nonnegative()
const requestId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)
const contract = z.string().min(1).max(100)

/** What the ledger learns, in the shapes that the worker role tells. Token counts of `finished` are real tokens; bigint tokens are adjusted ones. */
export const ledgerEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('started'),
    requestId,
    /** Address of the proxy contract. */
    proxy: contract,
    workerContract: contract,
    model: z.string(),
    startedAtMs: count,
  }),
  z.object({
    type: z.literal('finished'),
    requestId,
    result: z.enum(['answered', 'cancelled', 'failed']),
    promptTokens: count,
    cachedTokens: count,
    completionTokens: count,
    reasoningTokens: count,
    adjustedTokens: tokens,
    tookMs: z.number().nonnegative(),
    finishedAtMs: count,
  }),
  /** The proxy's count for one request (protocol 20, proxy.workerRequestPayment): `maxTokens` is the contract's total after it. */
  z.object({
    type: z.literal('counted'),
    requestId,
    workerContract: contract,
    requestTokens: tokens,
    maxTokens: tokens,
    /** nanoton per adjusted token */
    workerFeePerToken: tokens,
  }),
  /**
   * The proxy's own total of this contract, told at each connection and whenever it grew without a `counted`. `lost`: it is lower than the
   * proxy told before, so what lies above it is counted no more.
   */
  z.object({ type: z.literal('total'), workerContract: contract, tokens, workerFeePerToken: tokens, lost: z.boolean() }),
  /** Total adjusted tokens in a verified signed payment. */
  z.object({ type: z.literal('signed'), workerContract: contract, tokens }),
  /** Total adjusted tokens stored in the worker contract on chain. */
  z.object({ type: z.literal('settled'), workerContract: contract, tokens }),
  /** A payout began or changed. */
  z.object({ type: z.literal('payout'), payout }),
])
export type LedgerEvent = z.output<typeof ledgerEvent>
