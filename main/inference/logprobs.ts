import type { LlamaModel, Token } from 'node-llama-cpp'
import type { TokenLogprob } from './engine.ts'

/** Of what cannot be, as OpenAI tells it. */
const never = -9999

/**
 * @param probabilities of the tokens that were left after the sampling settings, the likeliest first
 * @param top most alternatives told
 */
export function tokenLogprob(
  model: LlamaModel,
  token: Token,
  probabilities: ReadonlyMap<Token, number>,
  top: number,
): TokenLogprob {
  const alternatives: TokenLogprob['top'][number][] = []
  for (const [other, probability] of probabilities) {
    if (alternatives.length >= top) break
    if (probability > 0) alternatives.push(told(model, other, probability))
  }
  return { ...told(model, token, probabilities.get(token) ?? 0), top: alternatives }
}

function told(model: LlamaModel, token: Token, probability: number): TokenLogprob['top'][number] {
  const text = model.detokenize([token], true)
  const bytes = text.includes('\uFFFD') ? null : [...new TextEncoder().encode(text)]
  return { text, bytes, logprob: probability > 0 ? Math.log(probability) : never }
}
