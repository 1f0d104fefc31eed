import type { LlamaGrammarEvaluationState, LlamaModel, Token } from 'node-llama-cpp'
import { AnswerEvents } from './answer-events.ts'
import type { EngineEvent, EngineUsage, GenerationOptions } from './engine.ts'
import { tokenLogprob } from './logprobs.ts'
import type { PromptPace } from './prompt-pace.ts'
import { ReasoningCounter } from './reasoning-counter.ts'
import { grammarState, type PreparedRequest } from './request.ts'
import { evaluateOptions, type SamplingDefaults } from './sampling.ts'
import type { Place } from './sequence-places.ts'
import { callGrammar } from './tool-calls.ts'

interface Sampled {
  readonly token: Token
  readonly probabilities?: ReadonlyMap<Token, number>
}

/**
 * Generates one answer in `place`, which must not be used by anybody else meanwhile. Ends with `done`; after an abort that comes
 * at once, while `settled` (called last) tells when the place is really free again.
 */
export async function* generate(
  model: LlamaModel,
  place: Place,
  { prompt, calls, grammar: wholeGrammar }: PreparedRequest,
  options: GenerationOptions,
  defaults: SamplingDefaults,
  pace: PromptPace,
  isAlone: () => boolean,
  signal: AbortSignal,
  settled: () => void,
): AsyncGenerator<EngineEvent> {
  const { sequence } = place
  const aborted = abortPromise(signal)
  const promptEndText = model.detokenize(prompt.tokens.slice(-16), true)
  const reasoning = new ReasoningCounter(prompt.thoughts, promptEndText)
  // Marks of calls and thoughts may be control tokens.
  const isMarked = calls !== undefined || options.reasoning === 'split'
  const answer = new AnswerEvents<Token>({
    detokenize: (tokens, before) => model.detokenize(tokens, isMarked, before),
    stops: [...(options.stop ?? []), ...prompt.stopTexts],
    promptEnd: prompt.tokens.slice(-8),
    promptEndText,
    thoughts: prompt.thoughts,
    calls,
    reasoning: options.reasoning,
  })
  let grammar: LlamaGrammarEvaluationState | undefined
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
  let iterator: AsyncGenerator<Sampled | Token, void, undefined> | undefined
  try {
    if (wholeGrammar !== undefined) grammar = grammarState(model, wholeGrammar)
    const keep = place.reusable
    if (keep < sequence.nextTokenIndex) await sequence.eraseContextTokenRanges([{ start: keep, end: sequence.nextTokenIndex }])
    // Some architectures can only go back further than asked.
    cachedTokens = sequence.nextTokenIndex
    const meter = sequence.tokenMeter.getState()
    const sampling = evaluateOptions(model, options, defaults, sampled, () => grammar)
    const priority = { ...(sampling.evaluationPriority && { evaluationPriority: sampling.evaluationPriority }) }
    let rest = prompt.tokens.slice(cachedTokens)
    while (!signal.aborted) {
      const most = pace.tokens(isAlone())
      if (rest.length <= most) break
      const piece = rest.slice(0, most)
      const startedMs = performance.now()
      running = sequence.evaluateWithoutGeneratingNewTokens(piece, priority)
      await Promise.race([running, aborted])
      if (signal.aborted) break
      pace.measured(piece.length, performance.now() - startedMs)
      evaluated += piece.length
      rest = rest.slice(piece.length)
    }
    if (!signal.aborted)
      iterator = (
        options.logprobs === undefined
          ? sequence.evaluate(rest, sampling)
          : sequence.evaluateWithMetadata(rest, { probabilities: true }, sampling)
      ) as typeof iterator

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
      const { token, probabilities }: Sampled = typeof next.value === 'object' ? next.value : { token: next.value }
      if (sampled.length === 0) evaluated = prompt.tokens.length - cachedTokens
      sampled.push(token)
      reasoning.push(model.detokenize([token], true))
      if (model.isEogToken(token) || prompt.stopTokens.has(token)) {
        reason = 'stop'
        break
      }
      yield* answer.push(token, probabilities && tokenLogprob(model, token, probabilities, options.logprobs ?? 0))
      if (calls !== undefined && grammar === undefined && answer.call !== undefined) {
        const text = callGrammar(calls, answer.call)
        if (text === undefined) answer.abandonCall()
        else grammar = grammarState(model, text)
      }
      if (answer.stopped) {
        reason = 'stop'
        break
      }
      if (sampled.length >= limit) {
        reason = 'length'
        break
      }
    }
    yield* answer.end(reason === 'stop')
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

function abortPromise(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
