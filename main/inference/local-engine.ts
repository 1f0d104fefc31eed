import { asError, Failure, wordsOf } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { checkCapable, type EngineCapabilities, noCapabilities } from './capabilities.ts'
import type { CapableEngine, ChatMessage, Embeddings, EngineEvent, EngineState, GenerationOptions, ToolCall } from './engine.ts'
import { EngineChild, type Loaded } from './engine-child.ts'
import type { GenerationInput, GpuChoice, SamplingAdvice } from './engine-messages.ts'

export interface LocalEngineOptions {
  /** Path of the engine process: `engine-process.ts` as source, or its bundled `.js`. */
  readonly entryPath: string
  /** Default `auto`: a usable GPU if there is one. */
  readonly gpu?: GpuChoice
  /** Answers generated at the same time, batched in one context; more wait in line. Default 2. */
  readonly sequences?: number
  /** One more place is left to the user's own chat, so that it never waits for the end of other answers. Default false. */
  readonly keepOwn?: boolean
  /** Default 0: as measured best for this machine. */
  readonly threads?: number
  /** Upper bound of the context of each sequence, in tokens. Default 8192; the model's own limit is never exceeded. */
  readonly contextTokens?: number
  /** Let everything else on the machine go first. Default true. */
  readonly background?: boolean
  /** Pause before the first restart after a crash; it doubles with each further crash. Default 250 ms. */
  readonly restartPauseMs?: number
  readonly logger?: Logger
}

export interface ModelToLoad {
  readonly path: string
  /** Shown in the state. */
  readonly name: string
  readonly contextTokens?: number
  /** Recommended by the makers of the model, for requests that name none; goes before what the file itself says. */
  readonly sampling?: SamplingAdvice | undefined
}

const longestPauseMs = 30_000
/** A process that lived this long starts the pauses anew. */
const stableMs = 60_000
const mostCrashesWhileLoading = 3

/** The engine in a process of its own, kept alive: see `Engine`. */
export class LocalEngine implements CapableEngine {
  readonly state = new Signal<EngineState>({ status: 'no-model' })
  readonly #options: LocalEngineOptions
  readonly #logger: Logger
  #child: EngineChild | undefined
  #capabilities = noCapabilities
  /** Changes with each load, unload and dispose: what was begun before gives up. */
  #turn = 0
  #restartTimer: NodeJS.Timeout | undefined
  #disposed = false

  constructor(options: LocalEngineOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
  }

  /** Process id of the engine, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Stays during a restart: the same model comes back. */
  get capabilities(): EngineCapabilities {
    return this.#capabilities
  }

  /**
   * Loads a model in place of the present one, whose running answers fail. Throws `Failure` `model-load-failed` (bad file, too little
   * memory), `engine-crashed`, or `engine-not-ready` when another load or unload came in between.
   */
  async load(model: ModelToLoad): Promise<void> {
    if (this.#disposed) throw notReady('The engine was shut down.', false)
    const turn = await this.#reset(notReady('Another model was chosen.', true))
    if (turn !== this.#turn) throw notReady('Another model was chosen.', true)
    try {
      await this.#start(model, turn, 0)
    } catch (error) {
      if (turn === this.#turn) this.state.set({ status: 'failed', reason: asError(error).message, words: wordsOf(error) })
      throw error
    }
  }

  /** Ends the engine process, which gives back all its memory. Running answers fail with `engine-not-ready`. */
  async unload(): Promise<void> {
    const turn = await this.#reset(notReady('The model was unloaded.', true))
    if (turn === this.#turn) this.state.set({ status: 'no-model' })
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    await this.#reset(notReady('The engine was shut down.', false))
    this.state.set({ status: 'no-model' })
  }

  chat(messages: readonly ChatMessage[], options: GenerationOptions, signal: AbortSignal): AsyncIterable<EngineEvent> {
    return this.#generate({ kind: 'chat', messages: messages.map(plain) }, options, signal)
  }

  complete(prompt: string, options: GenerationOptions, signal: AbortSignal): AsyncIterable<EngineEvent> {
    return this.#generate({ kind: 'complete', prompt }, options, signal)
  }

  async embed(inputs: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) throw new Failure('cancelled', 'The request was cancelled.')
    return this.#ready().embed(inputs, signal)
  }

  async *#generate(input: GenerationInput, options: GenerationOptions, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const child = this.#ready()
    checkCapable(this.#capabilities, input.kind === 'chat' ? input.messages : [], options)
    yield* child.generate(input, options, signal)
  }

  #ready(): EngineChild {
    const state = this.state.value
    if (state.status !== 'ready' || this.#child === undefined) throw notReadyIn(state)
    return this.#child
  }

  async #reset(failure: Failure): Promise<number> {
    const turn = ++this.#turn
    this.#capabilities = noCapabilities
    clearTimeout(this.#restartTimer)
    const child = this.#child
    this.#child = undefined
    if (child !== undefined) await child.stop(failure)
    return turn
  }

  async #start(model: ModelToLoad, turn: number, crashes: number): Promise<void> {
    const {
      entryPath,
      gpu = 'auto',
      sequences = 2,
      threads = 0,
      contextTokens = 8192,
      background = true,
      keepOwn = false,
    } = this.#options
    this.state.set({ status: 'loading', model: model.name, progress: 0 })
    const child = new EngineChild({
      entryPath,
      order: {
        ...{
          path: model.path,
          gpu,
          sequences: sequences + (keepOwn ? 1 : 0),
          keepOwn,
          threads,
          contextTokens: model.contextTokens ?? contextTokens,
        },
        sampling: model.sampling,
      },
      background,
      logger: this.#logger,
      onProgress: (progress) => {
        if (turn === this.#turn && this.state.value.status === 'loading')
          this.state.set({ status: 'loading', model: model.name, progress })
      },
    })
    this.#child = child
    let loaded: Loaded
    try {
      loaded = await child.ready
    } catch (error) {
      if (turn === this.#turn) this.#child = undefined
      await child.stop(notReady('The model was not loaded.', false))
      throw error
    }
    if (turn !== this.#turn) throw notReady('Another model was chosen.', true)
    this.#capabilities = loaded.capabilities
    const readyAtMs = performance.now()
    this.#logger.info('model loaded', {
      model: model.name,
      backend: loaded.backend,
      context: loaded.contextTokens,
      threads: loaded.threads,
    })
    this.state.set({ status: 'ready', model: model.name, contextTokens: loaded.contextTokens, backend: loaded.backend })
    void child.exited.then((reason) => {
      if (turn !== this.#turn) return
      this.#child = undefined
      this.#restart(model, turn, performance.now() - readyAtMs > stableMs ? 0 : crashes, 0, reason)
    })
  }

  #restart(model: ModelToLoad, turn: number, crashes: number, whileLoading: number, reason: string): void {
    const first = this.#options.restartPauseMs ?? 250
    const pauseMs = Math.min(first * 2 ** Math.min(crashes, 10), longestPauseMs)
    this.state.set({
      status: 'restarting',
      reason: `The engine stopped (${reason}) and starts again.`,
      words: { code: 'engine-restarting' },
    })
    this.#restartTimer = setTimeout(() => {
      this.#start(model, turn, crashes + 1).catch((error: unknown) => {
        if (turn !== this.#turn) return
        const crashed = error instanceof Failure && error.code === 'engine-crashed'
        if (crashed && whileLoading + 1 < mostCrashesWhileLoading)
          this.#restart(model, turn, crashes + 1, whileLoading + 1, asError(error).message)
        else this.state.set({ status: 'failed', reason: asError(error).message, words: wordsOf(error) })
      })
    }, pauseMs)
  }
}

/** Only what is a message's own: the caller's may carry more. */
function plain({ role, content, toolCalls, toolCallId }: ChatMessage): ChatMessage & { toolCalls?: ToolCall[] } {
  return { role, content, ...(toolCalls && { toolCalls: [...toolCalls] }), ...(toolCallId !== undefined && { toolCallId }) }
}

function notReady(message: string, retryable: boolean): Failure<'engine-not-ready'> {
  return new Failure('engine-not-ready', message, { retryable })
}

function notReadyIn(state: EngineState): Failure<'engine-not-ready'> {
  if (state.status === 'loading') return notReady('The model is still loading.', true)
  if (state.status === 'restarting') return notReady('The engine is restarting.', true)
  if (state.status === 'failed') return notReady(`The engine is not running: ${state.reason}`, false)
  return new Failure('engine-not-ready', 'No model is loaded.', { advice: 'Choose a model on the Models screen.' })
}
