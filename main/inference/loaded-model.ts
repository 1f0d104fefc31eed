import {
  type ChatWrapper,
  GgufInsights,
  getLlama,
  type Llama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
  readGgufFileInfo,
} from 'node-llama-cpp'
import type { EngineCapabilities } from './capabilities.ts'
import { checkCapable } from './capable-check.ts'
import { Embedder } from './embedder.ts'
import type { Embeddings, EngineEvent, GenerationOptions } from './engine.ts'
import { type GenerationInput, type GpuChoice, type LoadOrder, mostTopLogprobs } from './engine-messages.ts'
import { generate } from './generation.ts'
import { type LoadNotice, noticesOf } from './load-plan.ts'
import { PromptPace } from './prompt-pace.ts'
import { chatTemplate, thoughtMarks } from './prompt-tokens.ts'
import { prepare } from './request.ts'
import { type SamplingDefaults, samplingDefaults } from './sampling.ts'
import { ownLane, SequencePlaces, scopeOf } from './sequence-places.ts'
import { templateOpening } from './template-opening.ts'
import { knowsCalls } from './tool-calls.ts'

/** The end of a request that was given up before anything was done for it. */
const unused: EngineEvent = {
  type: 'done',
  reason: 'cancelled',
  usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 },
}

/** A model with its context, inside the engine process. */
export class LoadedModel {
  readonly contextTokens: number
  readonly backend: string
  /** Cards that the library found for its back end. */
  readonly devices: readonly string[]
  readonly threads: number
  readonly capabilities: EngineCapabilities
  /** What it got less of than asked for. */
  readonly notices: readonly LoadNotice[]
  readonly #model: LlamaModel
  readonly #template: ChatWrapper
  /** Tokens at the start of every chat that are no content. */
  readonly #opening: number
  readonly #places: SequencePlaces
  readonly #defaults: SamplingDefaults
  readonly #pace: PromptPace
  readonly #embedder: Embedder
  /** Settles when the last request that came was read. */
  #reading: Promise<unknown> = Promise.resolve()

  private constructor({ llama, devices }: Found, model: LlamaModel, context: LlamaContext, order: LoadOrder) {
    const { sampling: advice = {}, keepOwn } = order
    this.#model = model
    this.#template = chatTemplate(model)
    this.#opening = templateOpening(model, this.#template)
    this.#places = new SequencePlaces(context, keepOwn)
    this.#defaults = samplingDefaults(model, advice)
    this.#pace = new PromptPace(context.batchSize)
    this.contextTokens = context.contextSize
    this.backend = llama.gpu === false ? 'cpu' : llama.gpu
    this.devices = devices.slice(0, 64).map((name) => name.slice(0, 300))
    this.threads = context.idealThreads
    this.notices = noticesOf(
      { contextTokens: order.askedContextTokens, onGpu: llama.gpu !== false },
      { trainedTokens: model.trainContextSize, layers: model.fileInsights.totalLayers },
      { contextTokens: context.contextSize, gpuLayers: model.gpuLayers },
    )
    this.#embedder = new Embedder(model, this.#places, this.contextTokens, this.threads)
    const tools = knowsCalls(this.#template)
    this.capabilities = {
      contextTokens: context.contextSize,
      chat: true,
      complete: true,
      embeddings: true,
      tools,
      parallelToolCalls: false,
      json: true,
      jsonSchema: true,
      grammar: true,
      seed: true,
      stop: true,
      penalties: true,
      topK: true,
      minP: true,
      logitBias: true,
      topLogprobs: mostTopLogprobs,
      reasoningSplit: thoughtMarks(this.#template) !== undefined,
      dropOldest: true,
      images: false,
      answers: 1,
    }
  }

  static async load(
    order: LoadOrder,
    onProgress: (progress: number) => void,
    onWarning: (line: string) => void,
    /** Awaited before the template of the file is run for the first time. */
    onTemplate: () => Promise<void>,
  ): Promise<LoadedModel> {
    const found = await library(order.gpu, onWarning)
    const { llama } = found
    const gpuLayers = order.gpuPart < 1 ? { gpuLayers: await layersOf(order) } : {}
    const model = await llama.loadModel({ modelPath: order.path, onLoadProgress: onProgress, ...gpuLayers })
    const threads = order.threads === 0 ? defaultThreads(llama.cpuMathCores) : order.threads
    const context = await model.createContext({
      sequences: order.sequences,
      contextSize: { min: Math.min(512, order.contextTokens), max: Math.min(order.contextTokens, model.trainContextSize) },
      threads: { ideal: threads, min: 1 },
      // Flash attention is the library's default wherever the back end has it; a quantized cache needs it.
      ...(order.kvCache === 'q8_0' && { experimentalKvCacheKeyType: 'Q8_0', experimentalKvCacheValueType: 'Q8_0' }),
    })
    await onTemplate()
    return new LoadedModel(found, model, context, order)
  }

  /**
   * Before anything is generated it throws `Failure` `not-capable`, and what `prepare` throws. An abort while the request waits for a place
   * ends it with nothing used. Requests are read into tokens one after the other: `onReading` is awaited before, `onRead` is called after it.
   */
  async *answer(
    input: GenerationInput,
    options: GenerationOptions,
    signal: AbortSignal,
    onReading: () => Promise<void>,
    onRead: () => void,
  ): AsyncGenerator<EngineEvent> {
    checkCapable(this.capabilities, input.kind === 'chat' ? input.messages : [], options)
    const reading = this.#reading.then(async () => {
      if (signal.aborted) return undefined
      await onReading()
      return prepare(this.#model, this.#template, this.contextTokens, input, options)
    })
    this.#reading = reading.catch(() => undefined)
    const request = await reading
    if (request === undefined) {
      yield unused
      return
    }
    onRead()
    if (request.notice !== undefined) yield request.notice
    const { tokens } = request.prompt
    const scope = scopeOf(options)
    const opening = input.kind === 'chat' ? this.#opening : 0
    const place = await this.#places.acquire({ lane: options.lane ?? ownLane, tokens, opening, scope }, signal)
    if (place === undefined) {
      yield unused
      return
    }
    const settled = (): void => this.#places.release(place, scope)
    yield* generate(
      this.#model,
      place,
      request,
      options,
      this.#defaults,
      this.#pace,
      () => this.#places.taken === 1,
      signal,
      settled,
    )
  }

  /** Throws what `Embedder.embed` throws. */
  async embed(inputs: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    // Who came before stands in the line before.
    await this.#reading
    return this.#embedder.embed(inputs, signal)
  }
}

/** The part of the layers that may go to the graphics card, as a number of them. */
async function layersOf({ path, gpuPart }: LoadOrder): Promise<number> {
  if (gpuPart === 0) return 0
  const { totalLayers } = await GgufInsights.from(await readGgufFileInfo(path))
  return Math.floor(totalLayers * gpuPart)
}

interface Found {
  readonly llama: Llama
  readonly devices: readonly string[]
}

/** Vulkan may be present without any device; the processor is then faster than its emulation. */
async function library(gpu: GpuChoice, onWarning: (line: string) => void): Promise<Found> {
  const options = {
    build: 'never',
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
    logger: (_: LlamaLogLevel, line: string) => onWarning(line),
  } as const
  if (gpu === false) return { llama: await getLlama({ ...options, gpu }), devices: [] }
  const llama = await getLlama({ ...options, gpu })
  const devices = llama.gpu === false ? [] : await llama.getGpuDeviceNames()
  if (llama.gpu === false || devices.length > 0) return { llama, devices }
  await llama.dispose()
  return { llama: await getLlama({ ...options, gpu: false }), devices: [] }
}

/**
 * One core stays free for the rest of the machine. The threads wait for each other at every layer, so on a busy machine one thread too
 * many costs far more than it ever gives: measured on two cores, 2 threads wrote 59 tokens/s alone but 1 to 9 beside other work, where
 * 1 thread kept 41.
 */
function defaultThreads(mathCores: number): number {
  return Math.max(1, mathCores - 1)
}
