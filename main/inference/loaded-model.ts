import { type ChatWrapper, getLlama, type Llama, type LlamaContext, LlamaLogLevel, type LlamaModel } from 'node-llama-cpp'
import { Failure } from '../base/failure.ts'
import { checkCapable, type EngineCapabilities, noCapabilities } from './capabilities.ts'
import type { EngineEvent, GenerationOptions } from './engine.ts'
import type { GenerationInput, GpuChoice, LoadOrder, SamplingAdvice } from './engine-messages.ts'
import { generate, PromptPace, type SamplingDefaults } from './generation.ts'
import { chatTemplate, chatTokens, completionTokens } from './prompt-tokens.ts'
import { SequencePlaces } from './sequence-places.ts'

/** A model with its context, inside the engine process. */
export class LoadedModel {
  readonly contextTokens: number
  readonly backend: string
  readonly threads: number
  readonly capabilities: EngineCapabilities
  readonly #model: LlamaModel
  readonly #template: ChatWrapper
  readonly #places: SequencePlaces
  readonly #defaults: SamplingDefaults
  readonly #pace: PromptPace

  private constructor(llama: Llama, model: LlamaModel, context: LlamaContext, advice: SamplingAdvice = {}) {
    this.#model = model
    this.#template = chatTemplate(model)
    this.#places = new SequencePlaces(context)
    this.#defaults = samplingDefaults(model, advice)
    this.#pace = new PromptPace(context.batchSize)
    this.contextTokens = context.contextSize
    this.backend = llama.gpu === false ? 'cpu' : llama.gpu
    this.threads = context.idealThreads
    this.capabilities = {
      ...noCapabilities,
      ...{ contextTokens: context.contextSize, chat: true, complete: true, seed: true, stop: true, penalties: true },
    }
  }

  static async load(
    order: LoadOrder,
    onProgress: (progress: number) => void,
    onWarning: (line: string) => void,
  ): Promise<LoadedModel> {
    const llama = await library(order.gpu, onWarning)
    const model = await llama.loadModel({ modelPath: order.path, onLoadProgress: onProgress })
    const threads = order.threads === 0 ? defaultThreads(llama.cpuMathCores) : order.threads
    const context = await model.createContext({
      sequences: order.sequences,
      contextSize: { min: Math.min(512, order.contextTokens), max: Math.min(order.contextTokens, model.trainContextSize) },
      threads: { ideal: threads, min: 1 },
    })
    return new LoadedModel(llama, model, context, order.sampling)
  }

  /** Throws `Failure` `context-too-small` before anything is generated when the prompt leaves no room for an answer. */
  async *answer(input: GenerationInput, options: GenerationOptions, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    checkCapable(this.capabilities, input.kind === 'chat' ? input.messages : [], options)
    const prompt =
      input.kind === 'chat'
        ? chatTokens(this.#model, this.#template, input.messages)
        : completionTokens(this.#model, input.prompt)
    // One token of room for the answer, and one that the library keeps free.
    if (prompt.tokens.length === 0) throw new Failure('generation-failed', 'The prompt is empty.')
    if (prompt.tokens.length > this.contextTokens - 2)
      throw new Failure(
        'context-too-small',
        `The text has ${prompt.tokens.length} tokens, but the model reads at most ${this.contextTokens} with its answer.`,
      )
    const place = await this.#places.acquire(options.lane ?? 'own', prompt.tokens, prompt.publicPrefix, signal)
    if (place === undefined) {
      const usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }
      yield { type: 'done', reason: 'cancelled', usage }
      return
    }
    const settled = (): void => this.#places.release(place, prompt.tokens.length)
    yield* generate(this.#model, place, prompt, options, this.#defaults, this.#pace, signal, settled)
  }
}

/** Vulkan may be present without any device; the processor is then faster than its emulation. */
async function library(gpu: GpuChoice, onWarning: (line: string) => void): Promise<Llama> {
  const options = {
    build: 'never',
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
    logger: (_: LlamaLogLevel, line: string) => onWarning(line),
  } as const
  if (gpu === false) return getLlama({ ...options, gpu })
  const llama = await getLlama({ ...options, gpu })
  const devices = llama.gpu === false ? [] : await llama.getGpuDeviceNames()
  if (llama.gpu === false || devices.length > 0) return llama
  await llama.dispose()
  return getLlama({ ...options, gpu: false })
}

/**
 * One core stays free for the rest of the machine. The threads wait for each other at every layer, so on a busy machine one thread too
 * many costs far more than it ever gives: measured on two cores, 2 threads wrote 59 tokens/s alone but 1 to 9 beside other work, where
 * 1 thread kept 41.
 */
function defaultThreads(mathCores: number): number {
  return Math.max(1, mathCores - 1)
}

function samplingDefaults(model: LlamaModel, advice: SamplingAdvice): SamplingDefaults {
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
