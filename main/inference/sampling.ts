import { randomInt } from 'node:crypto'
import {
  type LlamaGrammarEvaluationState,
  type LlamaModel,
  type SequenceEvaluateOptions,
  type Token,
  TokenBias,
} from 'node-llama-cpp'
import { Failure } from '../base/failure.ts'
import type { GenerationOptions } from './engine.ts'
import type { SamplingAdvice } from './engine-messages.ts'

/** Sampling values that a GGUF file may carry for its model; else those that suit small chat models. */
export interface SamplingDefaults {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
}

/** What the makers advise goes before what the file says. */
export function samplingDefaults(model: LlamaModel, advice: SamplingAdvice): SamplingDefaults {
  const general: Record<string, unknown> = { ...model.fileInfo.metadata.general }
  const raw = general.sampling
  const sampling: Record<string, unknown> = typeof raw === 'object' && raw !== null ? { ...raw } : {}
  const number = (name: string, fallback: number, most: number): number => {
    const value = sampling[name]
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= most ? value : fallback
  }
  return {
    temperature: advice.temperature ?? number('temp', 0.7, 5),
    topP: advice.topP ?? number('top_p', 0.95, 1),
    topK: number('top_k', 40, 1_000_000),
    minP: number('min_p', 0.05, 1),
  }
}

/** The user's own chat goes first into a batch that cannot hold all. */
const priorities = { own: 5, others: 3 } as const

/** `grammar` is asked before each token. */
export function evaluateOptions(
  model: LlamaModel,
  options: GenerationOptions,
  defaults: SamplingDefaults,
  sampled: readonly Token[],
  grammar: () => LlamaGrammarEvaluationState | undefined,
): SequenceEvaluateOptions {
  const penalties = (options.frequencyPenalty ?? 0) !== 0 || (options.presencePenalty ?? 0) !== 0
  const bias = biasOf(model, options.logitBias ?? {})
  return {
    temperature: options.temperature ?? defaults.temperature,
    topP: options.topP ?? defaults.topP,
    topK: options.topK ?? defaults.topK,
    minP: options.minP ?? defaults.minP,
    seed: options.seed ?? randomInt(0x7f_ff_ff_ff),
    yieldEogToken: true,
    evaluationPriority: (options.lane ?? 'own') === 'own' ? priorities.own : priorities.others,
    grammarEvaluationState: grammar,
    ...(bias && { tokenBias: bias }),
    ...(penalties && {
      repeatPenalty: {
        punishTokens: () => sampled.slice(-1024),
        maxPunishTokens: 1024,
        penalty: 1,
        frequencyPenalty: options.frequencyPenalty ?? 0,
        presencePenalty: options.presencePenalty ?? 0,
      },
    }),
  }
}

/** @throws Failure `bad-request` for a token that the model does not have, `not-capable` for one that ends answers: the library passes over both */
export function checkBias(model: LlamaModel, { logitBias = {} }: GenerationOptions): void {
  const values = { field: 'logitBias' }
  const vocabulary = model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? Number.POSITIVE_INFINITY
  for (const token of Object.keys(logitBias)) {
    if (Number(token) >= vocabulary)
      throw new Failure('bad-request', `The model has no token ${token}: its last one is ${vocabulary - 1}.`, { values })
    if (model.isEogToken(Number(token) as Token))
      throw new Failure('not-capable', `The token ${token} ends answers: it cannot be made likelier or less likely.`, {
        values,
      })
  }
}

function biasOf(model: LlamaModel, given: Readonly<Record<string, number>>): TokenBias | undefined {
  const entries = Object.entries(given)
  if (entries.length === 0) return undefined
  const bias = TokenBias.for(model)
  for (const [token, logit] of entries) bias.set(Number(token) as Token, logit <= -100 ? 'never' : { logit })
  return bias
}
