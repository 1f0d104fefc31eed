import type { Payout } from '../../preload/api/earn.ts'

/** What the earnings ledger learns from a worker, in order. Token counts of `finished` are real tokens; all bigint tokens are adjusted. */
export type WorkerEvent =
  | {
      readonly type: 'started'
      /** hex, 64 characters; the proxy's id on this hop */
      readonly requestId: string
      /** Address of the proxy contract. */
      readonly proxy: string
      readonly workerContract: string
      readonly model: string
      readonly startedAtMs: number
    }
  | {
      readonly type: 'finished'
      readonly requestId: string
      readonly result: 'answered' | 'cancelled' | 'failed'
      readonly promptTokens: number
      readonly cachedTokens: number
      readonly completionTokens: number
      readonly reasoningTokens: number
      /** Of the question as it came, and of what was answered. */
      readonly bytesReceived: number
      readonly bytesSent: number
      /** 0 for a failed request: nobody is charged. */
      readonly adjustedTokens: bigint
      readonly tookMs: number
      readonly finishedAtMs: number
    }
  /** The proxy told what it counted for a request: not signed yet. */
  | {
      readonly type: 'counted'
      readonly requestId: string
      readonly workerContract: string
      readonly requestTokens: bigint
      readonly maxTokens: bigint
      /** nanoton */
      readonly workerFeePerToken: bigint
    }
  /** As the ledger's `total`: told at each connection, and between requests when it grew. */
  | {
      readonly type: 'total'
      readonly workerContract: string
      readonly tokens: bigint
      /** nanoton */
      readonly workerFeePerToken: bigint
      /** Lower than the proxy told before. */
      readonly lost: boolean
    }
  /** A larger signed payment is durable on disk: `tokens` is the total. */
  | { readonly type: 'signed'; readonly workerContract: string; readonly tokens: bigint }
  /** The worker contract on chain has paid up to `tokens` in total. */
  | { readonly type: 'settled'; readonly workerContract: string; readonly tokens: bigint }
  | { readonly type: 'payout'; readonly payout: Payout }
