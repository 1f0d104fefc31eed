import { randomInt } from 'node:crypto'
import type { LlamaModel, SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import { AnswerText } from './answer-text.ts'
import type { EngineEvent, EngineUsage, GenerationOptions } from './engine.ts'
import type { PromptTokens } from './prompt-tokens.ts'
import { ReasoningCounter } from './reasoning-counter.ts'
import { type Place, reusableTokens } from './sequence-places.ts'

/** Sampling values that a GGUF file may carry for its model; else those that suit small chat models. */
export interface SamplingDefaults {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
}

/** Longest time that one piece of a prompt may keep the other sequences, and an abort, waiting. */
const pieceMs = 200
const smallestPiece = 32

/** Learns how many prompt tokens fit into `pieceMs` on this machine. */
export class PromptPace {
  readonly #largest: number
  #piece = 64

  constructor(batchSize: number) {
    this.#largest = Math.max(batchSize, smallestPiece)
  }

  get tokens(): number {
    return Math.min(this.#piece, this.#largest)
  }

  measured(tokens: number, ms: number): void {
    const fitting = Math.round((tokens / Math.max(ms, 1)) * pieceMs)
    this.#piece = Math.max(smallestPiece, Math.min(this.#largest, fitting, this.#piece * 2))
  }
}

/**
 * Generates one answer in `place`, which must not be used by anybody else meanwhile. Ends with `done`; after an abort that comes
 * at once, while `settled` (called last) tells when the place is really free again.
 */
export async function* generate(
  model: LlamaModel,
  place: Place,
  prompt: PromptTokens,
  options: GenerationOptions,
  defaults: SamplingDefaults,
  pace: PromptPace,
  signal: AbortSignal,
  settled: () => void,
): AsyncGenerator<EngineEvent> {
  const { sequence } = place
  const aborted = abortPromise(signal)
  const reasoning = new ReasoningCounter(prompt.thoughts, model.detokenize(prompt.tokens.slice(-16), true))
  const answer = new AnswerText<Token>(
    (tokens, before) => model.detokenize(tokens, false, before),
    [...(options.stop ?? []), ...prompt.stopTexts],
    prompt.tokens.slice(-8),
  )
  const sampled: Token[] = []
  let cachedTokens = 0
  let evaluated = 0
  const usage = (): EngineUsage => ({
    promptTokens: cachedTokens + evaluated,
    cachedTokens,
    completionTokens: sampled.length,
    reasoningTokens: reasoning.tokens,
  })
  let running: Promise<unknown> = Promise.resolve()
  let iterator: AsyncGenerator<Token, void, undefined> | undefined
  try {
    const keep = reusableTokens(place, prompt.tokens, prompt.publicPrefix)
    if (keep < sequence.nextTokenIndex) await sequence.eraseContextTokenRanges([{ start: keep, end: sequence.nextTokenIndex }])
    // Some architectures can only go back further than asked.
    cachedTokens = sequence.nextTokenIndex
    const meter = sequence.tokenMeter.getState()
    let rest = prompt.tokens.slice(cachedTokens)
    while (rest.length > pace.tokens && !signal.aborted) {
      const piece = rest.slice(0, pace.tokens)
      const startedMs = performance.now()
      running = sequence.evaluateWithoutGeneratingNewTokens(piece)
      await Promise.race([running, aborted])
      if (signal.aborted) break
      pace.measured(piece.length, performance.now() - startedMs)
      evaluated += piece.length
      rest = rest.slice(piece.length)
    }
    if (!signal.aborted) iterator = sequence.evaluate(rest, evaluateOptions(options, defaults, sampled)) as typeof iterator

    const room = sequence.contextSize - 1 - prompt.tokens.length
    const limit = Math.min(options.maxTokens ?? room, room)
    let reason: 'stop' | 'length' | 'cancelled' = 'cancelled'
    while (iterator !== undefined && !signal.aborted) {
      const pending = iterator.next()
      running = pending
      const next = await Promise.race([pending, aborted])
      if (next === undefined) break
      if (next.done) {
        reason = 'stop'
        break
      }
      const token = next.value
      if (sampled.length === 0) evaluated = prompt.tokens.length - cachedTokens
      sampled.push(token)
      reasoning.push(model.detokenize([token], true))
      if (model.isEogToken(token) || prompt.stopTokens.has(token)) {
        reason = 'stop'
        break
      }
      const piece = answer.push(token)
      if (piece !== undefined) yield { type: 'text', ...piece }
      if (answer.stopped) {
        reason = 'stop'
        break
      }
      if (sampled.length >= limit) {
        reason = 'length'
        break
      }
    }
    const last = answer.flush()
    if (last !== undefined) yield { type: 'text', ...last }
    if (reason !== 'cancelled') {
      const used = sequence.tokenMeter.diff(meter)
      if (used.usedOutputTokens !== sampled.length)
        throw new Error(`the meter counted ${used.usedOutputTokens} sampled tokens instead of ${sampled.length}`)
    }
    yield { type: 'done', reason, usage: usage() }
  } finally {
    // A decode that has begun cannot be taken back; its place is free when it ends. Its failure was already reported, or came after the end.
    await running.catch(() => undefined)
    await iterator?.return().catch(() => undefined)
    settled()
  }
}

function evaluateOptions(
  options: GenerationOptions,
  defaults: SamplingDefaults,
  sampled: readonly Token[],
): SequenceEvaluateOptions {
  const penalties = (options.frequencyPenalty ?? 0) !== 0 || (options.presencePenalty ?? 0) !== 0
  return {
    temperature: options.temperature ?? defaults.temperature,
    topP: options.topP ?? defaults.topP,
    topK: defaults.topK,
    minP: defaults.minP,
    seed: options.seed ?? randomInt(0x7f_ff_ff_ff),
    yieldEogToken: true,
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

function abortPromise(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
