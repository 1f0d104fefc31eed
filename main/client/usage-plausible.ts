import { type AdjustedTokens, adjustTokens, type Multipliers } from '../protocol/accounting/adjusted-tokens.ts'

/** What this side knows of its own request, in real tokens or bytes. */
export interface AskedFor {
  readonly queryBytes: number
  readonly maxTokens: number
  /** Thousandths. */
  readonly maxCoefficient: number
  readonly multipliers: Multipliers
}

/** Tokens that a chat template may add to a prompt beyond one token per byte of the request. */
const templateTokens = 1024
/** Tokens that end an answer may come on top. */
const endTokens = 16

/**
 * Whether the usage of an answer can be true (protocol 90 §2.6): `impossible` for numbers below zero and a total that is not the sum of its parts;
 * `too-much` for a prompt of more tokens than bytes, or an answer of more than was allowed and more than bytes that came.
 */
export function judgeUsage(
  tokens: AdjustedTokens,
  asked: AskedFor,
  answerBytes: number,
): 'plausible' | 'too-much' | 'impossible' {
  const { prompt, cached, completion, reasoning, total } = tokens
  if ([prompt, cached, completion, reasoning].some((one) => one < 0n)) return 'impossible'
  if (prompt + cached + completion + reasoning !== total) return 'impossible'
  const most = mostUsage(asked, Math.max(asked.maxTokens, answerBytes))
  return prompt + cached > most.prompt || completion + reasoning > most.answer ? 'too-much' : 'plausible'
}

/** Most adjusted tokens that question and answer can have; `answerTokens` is the longest answer, in real tokens. */
export function mostUsage(
  { queryBytes, maxCoefficient, multipliers }: AskedFor,
  answerTokens: number,
): { readonly prompt: bigint; readonly answer: bigint } {
  return {
    prompt: adjustTokens(queryBytes + templateTokens, maxCoefficient, Math.max(multipliers.prompt, multipliers.cached)),
    answer: adjustTokens(answerTokens + endTokens, maxCoefficient, Math.max(multipliers.completion, multipliers.reasoning)),
  }
}
