import { adjustTokens, type Multipliers } from '../protocol/accounting/adjusted-tokens.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { Refusal } from './refusal.ts'

/** Adjusted tokens of one request as a worker reports them. */
export type TokensUsed = TlObject<'tokensUsed'>

export const noTokens: TokensUsed = {
  '@type': 'tokensUsed',
  prompt_tokens_used: 0n,
  cached_tokens_used: 0n,
  completion_tokens_used: 0n,
  reasoning_tokens_used: 0n,
  total_tokens_used: 0n,
}

/** What the proxy itself knows about a request, in real tokens or bytes. */
export interface UsageBounds {
  readonly queryBytes: number
  /** max_tokens of the query, times the number of choices asked for. */
  readonly maxTokens: number
  /** True when the body carries a limit of its own, so that the engine cannot run past `maxTokens`. */
  readonly bodyLimited: boolean
  /** Bytes of the answer's body that went through this proxy. */
  readonly answerBytes: number
  /** Highest coefficient (thousandths) that the worker had announced while the request ran. */
  readonly coefficient: number
}

/** Tokens that a chat template and special tokens may add to a prompt beyond one token per byte of the request. */
const templateTokens = 1024

/**
 * Refuses usage that cannot be true (601: it is the worker's fault, and a program that hears 621 takes it for its own). Rules of this proxy; the reference believes every number (50 §10):
 * no class below zero; the total is the sum of the classes; a prompt has at most one token per byte of the query plus a
 * margin for the template; an answer has at most `max_tokens`, or, where the request's body sets no limit, at most one token
 * per byte that was delivered. Real tokens are compared after the price adjustment (40 §6), as that is all a worker reports.
 */
export function checkUsage(usage: TokensUsed, bounds: UsageBounds, multipliers: Multipliers): void {
  const classes = [usage.prompt_tokens_used, usage.cached_tokens_used, usage.completion_tokens_used, usage.reasoning_tokens_used]
  const refuse = (why: string): never => {
    throw new Refusal(peerErrorCodes.failure, `worker reported impossible usage: ${why}`)
  }
  if (classes.some((tokens) => tokens < 0n) || usage.total_tokens_used < 0n) refuse('negative')
  if (classes.reduce((sum, tokens) => sum + tokens, 0n) !== usage.total_tokens_used) refuse('total differs from its parts')
  const promptCeiling = bounds.queryBytes + templateTokens
  const answerCeiling = (bounds.bodyLimited ? bounds.maxTokens : Math.max(bounds.maxTokens, bounds.answerBytes)) + 16
  const prompt = adjustTokens(promptCeiling, bounds.coefficient, Math.max(multipliers.prompt, multipliers.cached))
  const answer = adjustTokens(answerCeiling, bounds.coefficient, Math.max(multipliers.completion, multipliers.reasoning))
  if (usage.prompt_tokens_used + usage.cached_tokens_used > prompt) refuse('more prompt tokens than the query can hold')
  if (usage.completion_tokens_used + usage.reasoning_tokens_used > answer) refuse('more answer tokens than were agreed')
}

/** The same usage with at most `most` tokens in total: what is too much is taken from the answer first. */
export function cappedUsage(usage: TokensUsed, most: bigint): TokensUsed {
  let excess = usage.total_tokens_used - most
  if (excess <= 0n) return usage
  const cut = (tokens: bigint): bigint => {
    const taken = tokens < excess ? tokens : excess
    excess -= taken
    return tokens - taken
  }
  return {
    '@type': 'tokensUsed',
    completion_tokens_used: cut(usage.completion_tokens_used),
    reasoning_tokens_used: cut(usage.reasoning_tokens_used),
    prompt_tokens_used: cut(usage.prompt_tokens_used),
    cached_tokens_used: cut(usage.cached_tokens_used),
    total_tokens_used: most,
  }
}
