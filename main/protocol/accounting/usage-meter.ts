import { countOf, JsonNumber, type JsonObject, type JsonValue } from '../requests/json-text.ts'
import { type AdjustedTokens, adjustUsage, type Multipliers, type TokenCounts } from './adjusted-tokens.ts'

export interface Tariff {
  /** Price factor of the worker in thousandths. */
  readonly coefficient: number
  readonly multipliers: Multipliers
  /** nanoton */
  readonly pricePerToken: bigint
}

const fieldOf = (value: JsonValue | undefined, name: string): JsonValue | undefined =>
  value instanceof Map ? value.get(name) : undefined

/**
 * Takes out what tells how much of the prompt an engine knew already: OpenAI's count becomes 0, those of DeepSeek and the times of llama.cpp go. Returns
 * whether there was any.
 */
function hideCached(value: JsonValue, usage: JsonObject): boolean {
  const details = usage.get('prompt_tokens_details')
  const isTold = details instanceof Map && details.has('cached_tokens')
  if (isTold) details.set('cached_tokens', new JsonNumber('0'))
  const gone = [
    usage.delete('prompt_cache_hit_tokens'),
    usage.delete('prompt_cache_miss_tokens'),
    value instanceof Map && value.delete('timings'),
  ]
  return isTold || gone.includes(true)
}

/** The largest usage seen in the values of one answer, and its cost (protocol 40 §6). */
export class UsageMeter {
  readonly #tariff: Tariff
  #counts: TokenCounts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }
  #reported = false
  readonly #hidesCached: boolean

  /** With `hidesCached` what the engine knew of the prompt already is told to nobody, and billed as new. */
  constructor(tariff: Tariff, { hidesCached = false }: { readonly hidesCached?: boolean } = {}) {
    this.#tariff = tariff
    this.#hidesCached = hidesCached
  }

  get counts(): TokenCounts {
    return this.#counts
  }

  /** True once the engine itself has stated completion tokens. */
  get reported(): boolean {
    return this.#reported
  }

  get adjusted(): AdjustedTokens {
    return adjustUsage(this.#counts, this.#tariff.coefficient, this.#tariff.multipliers)
  }

  /** Raises the counts to at least these; returns whether any grew. */
  raise(seen: Partial<TokenCounts>): boolean {
    const before = this.#counts
    this.#counts = {
      promptTokens: Math.max(before.promptTokens, seen.promptTokens ?? 0),
      cachedTokens: Math.max(before.cachedTokens, seen.cachedTokens ?? 0),
      completionTokens: Math.max(before.completionTokens, seen.completionTokens ?? 0),
      reasoningTokens: Math.max(before.reasoningTokens, seen.reasoningTokens ?? 0),
    }
    const now = this.#counts
    return (
      now.promptTokens > before.promptTokens ||
      now.cachedTokens > before.cachedTokens ||
      now.completionTokens > before.completionTokens ||
      now.reasoningTokens > before.reasoningTokens
    )
  }

  /** Reads the `usage` of one value of the answer and, where any count grew, writes the costs so far into it. Returns whether it changed the value. */
  read(value: JsonValue): boolean {
    const usage = fieldOf(value, 'usage')
    if (!(usage instanceof Map)) return false
    const isChanged = this.#hidesCached && hideCached(value, usage)
    const seen: { -readonly [Key in keyof TokenCounts]?: number } = {}
    const prompt = countOf(usage.get('prompt_tokens'))
    if (prompt !== undefined) seen.promptTokens = prompt
    const cached = countOf(fieldOf(usage.get('prompt_tokens_details'), 'cached_tokens'))
    if (cached !== undefined) seen.cachedTokens = cached
    const completion = countOf(usage.get('completion_tokens'))
    if (completion !== undefined) {
      seen.completionTokens = completion
      this.#reported = true
    }
    const reasoning =
      countOf(fieldOf(usage.get('completion_tokens_details'), 'reasoning_tokens')) ?? countOf(usage.get('reasoning_tokens'))
    if (reasoning !== undefined) seen.reasoningTokens = reasoning
    if (!this.raise(seen)) return isChanged
    this.#writeCosts(usage)
    return true
  }

  #writeCosts(usage: JsonObject): void {
    const adjusted = this.adjusted
    const cost = (tokens: bigint): JsonNumber => new JsonNumber(String(tokens * this.#tariff.pricePerToken))
    usage.set('prompt_total_cost', cost(adjusted.prompt + adjusted.cached))
    usage.set('completion_total_cost', cost(adjusted.completion + adjusted.reasoning))
    usage.set('total_cost', cost(adjusted.total))
  }
}
