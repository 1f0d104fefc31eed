/** Real tokens of one answer, as an engine's `usage` object states them. Cached are part of prompt, reasoning part of completion. */
export interface TokenCounts {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly reasoningTokens: number
}

/** Price factors of the root contract, in ten-thousandths: 10000 = 1.0 (protocol 60 §2). */
export interface Multipliers {
  readonly prompt: number
  readonly cached: number
  readonly completion: number
  readonly reasoning: number
}

/** Adjusted tokens per class, the unit of every counter on wire and chain. */
export interface AdjustedTokens {
  readonly prompt: bigint
  readonly cached: bigint
  readonly completion: bigint
  readonly reasoning: bigint
  readonly total: bigint
}

/**
 * Adjusted tokens of one class. `coefficient` in thousandths, `multiplier` in ten-thousandths. The order of the double operations is
 * part of the protocol: all nodes must truncate to the same number (protocol 40 §6).
 */
export function adjustTokens(tokens: number, coefficient: number, multiplier: number): bigint {
  return BigInt(Math.trunc(tokens * (coefficient * 0.001) * multiplier * 0.0001))
}

/** Adjusted tokens of a whole answer. Classes that an engine states inconsistently (more cached than prompt) never become negative. */
export function adjustUsage(usage: TokenCounts, coefficient: number, multipliers: Multipliers): AdjustedTokens {
  const prompt = adjustTokens(Math.max(0, usage.promptTokens - usage.cachedTokens), coefficient, multipliers.prompt)
  const cached = adjustTokens(usage.cachedTokens, coefficient, multipliers.cached)
  const completion = adjustTokens(
    Math.max(0, usage.completionTokens - usage.reasoningTokens),
    coefficient,
    multipliers.completion,
  )
  const reasoning = adjustTokens(usage.reasoningTokens, coefficient, multipliers.reasoning)
  return { prompt, cached, completion, reasoning, total: prompt + cached + completion + reasoning }
}

/** Adjusted tokens that a proxy reserves for a request, before it knows the real usage; multipliers do not enter (protocol 50 §3). */
export function reservedTokens(maxTokens: number, queryBytes: number, maxCoefficient: number): bigint {
  return (BigInt(maxTokens + queryBytes) * BigInt(maxCoefficient)) / 1000n
}
