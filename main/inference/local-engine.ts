import { asError, Failure } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { type EngineCapabilities, noCapabilities } from './capabilities.ts'
import { checkCapable } from './capable-check.ts'
import type { CapableEngine, ChatMessage, Embeddings, EngineEvent, EngineState, GenerationOptions, ToolCall } from './engine.ts'
import { EngineChild, type Loaded } from './engine-child.ts'
import { failedBy, type GivenTo, notReady, notReadyIn, replaced, yielded } from './engine-failures.ts'
import type { GenerationInput, LoadOrder } from './engine-messages.ts'
import { Grace } from './grace.ts'
import { lighter, mostCrashesWhileLoading, withLess } from './load-plan.ts'
import { type LocalEngineOptions, type ModelToLoad, orderOf } from './local-engine-options.ts'

const longestPauseMs = 30_000
/** A process that lived this long starts the pauses anew. */
const stableMs = 60_000

export interface Release {
  readonly graceMs: number
  /** What broken answers and new requests are told. Default `other-program`. */
  readonly to?: GivenTo
}

/** The engine in a process of its own, kept alive: see `Engine`. */
export class LocalEngine implements CapableEngine {
  readonly state = new Signal<EngineState>({ status: 'no-model' })
  readonly #options: LocalEngineOptions
  readonly #logger: Logger
  #child: EngineChild | undefined
  #capabilities = noCapabilities
  /** What sleep and restart bring back. */
  #model: ModelToLoad | undefined
  /** Changes with each load, unload, sleep and dispose: what was begun before gives up. */
  #turn = 0
  #restartTimer: NodeJS.Timeout | undefined
  #idleTimer: NodeJS.Timeout | undefined
  /** Requests under way, also those that wait for the model to come back. */
  readonly #running = new Signal(0)
  #waking: Promise<void> | undefined
  /** Settles when every process that was ended is gone, with its memory. */
  #gone: Promise<unknown> = Promise.resolve()
  #disposed = false
  /** The memory belongs to another program: nothing is loaded until `resume` or `rest`. */
  #given = false
  #givenTo: GivenTo = 'other-program'
  /** The last release; it still waits for its answers as long as its turn is the present one. */
  #releasing: { readonly turn: number; readonly grace: Grace; readonly done: Promise<void> } | undefined
  /** What the state was when the memory was given away, while the process still lives. */
  #ready: Extract<EngineState, { status: 'ready' }> | undefined
  #idleUnloadMs: number

  constructor(options: LocalEngineOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
    this.#idleUnloadMs = options.idleUnloadMs ?? 0
  }

  /** Requests under way. */
  get running(): Watchable<number> {
    return this.#running
  }

  /** What it asks for at most: tokens of context for each answer, and answers at the same time. A model's own limits may make it less. */
  get wanted(): { readonly contextTokens: number; readonly sequences: number } {
    const { sequences = 2, contextTokens = 8192, keepOwn = false } = this.#options
    return { contextTokens, sequences: sequences + (keepOwn ? 1 : 0) }
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
   * Loads a model in place of the present one, whose running answers fail. While the memory is given away (`release`), also when that happens
   * during the load, the model is taken and sleeps. Throws `Failure` `model-load-failed` (bad file, too little memory), `engine-crashed`, or
   * `engine-not-ready` when another load or unload came in between.
   */
  async load(model: ModelToLoad): Promise<void> {
    if (this.#disposed) throw notReady('The engine was shut down.', false)
    this.#capabilities = noCapabilities
    this.#model = model
    const turn = await this.#reset(replaced())
    if (this.#model !== model) throw replaced()
    if (this.#given) return this.#layDown(model, 'yielded')
    // Whoever had the memory in between has said what becomes of the model.
    if (turn !== this.#turn) return
    try {
      await this.#startOrFail(model, turn)
    } catch (error) {
      if (this.#model !== model || turn === this.#turn) throw error
    }
  }

  /**
   * Takes a model without loading it: the first request does. Only while none is loaded. What it can do is known once it was loaded
   * (`capabilities`), its context is an upper bound until then.
   */
  prepare(model: ModelToLoad): void {
    if (this.#disposed || this.#child !== undefined) throw notReady('Another model is loaded.', false)
    this.#turn++
    this.#model = model
    this.#layDown(model, this.#given ? 'yielded' : 'idle')
  }

  #layDown(model: ModelToLoad, why: 'idle' | 'yielded'): void {
    this.state.set({
      status: 'asleep',
      model: model.name,
      contextTokens: orderOf(model, this.#options, this.wanted).contextTokens,
      why,
    })
  }

  /**
   * Ends the engine process, which gives back all its memory, and forgets the model: nothing but `load` brings it back. Running answers fail with
   * `engine-not-ready`. With `because` the state says that the model failed, and why.
   */
  async unload(because?: Error): Promise<void> {
    this.#capabilities = noCapabilities
    this.#model = undefined
    const turn = await this.#reset(notReady('The model was unloaded.', true))
    if (turn === this.#turn) this.state.set(because === undefined ? { status: 'no-model' } : failedBy(because))
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    this.#model = undefined
    this.#capabilities = noCapabilities
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
    return this.#counted(async () => {
      const child = await this.#awake(signal)
      if (child === undefined || signal.aborted) throw new Failure('cancelled', 'The request was cancelled.')
      return child.embed(inputs, signal)
    })
  }

  /** Gives all memory back when nothing was asked for so long, counted from now or the end of the last request; 0: never. */
  setIdleUnload(idleUnloadMs: number): void {
    if (idleUnloadMs === this.#idleUnloadMs) return
    this.#idleUnloadMs = idleUnloadMs
    this.#watchIdle()
  }

  /**
   * Brings back a model that sleeps for want of work, and waits for one that is on its way back; nothing else. Resolves when `signal` aborts.
   * Throws `Failure` as `chat`.
   */
  async wake(signal: AbortSignal): Promise<void> {
    if (this.state.value.status === 'asleep' || this.#waking !== undefined) await this.#counted(() => this.#awake(signal))
  }

  /**
   * Gives all memory back until the next request. Resolves with false, and does nothing, while requests are under way or no model is ready.
   */
  async sleep(): Promise<boolean> {
    const state = this.state.value
    if (state.status !== 'ready' || this.#running.value > 0) return false
    this.state.set({ status: 'asleep', model: state.model, contextTokens: state.contextTokens, why: 'idle' })
    await this.#reset(notReady('The model was unloaded.', true))
    return true
  }

  /**
   * Gives all memory back to other programs, e.g. when a game starts: takes no more requests, lets the running ones finish within `graceMs`, ends
   * those that do not with `engine-yielded` (they may be tried again later), and resolves when the process is gone. Until `resume` or `rest` nothing
   * is loaded. When one of them comes before the end, the process stays and goes on with its answers. A release that comes while another waits
   * joins it, and can only shorten its grace.
   */
  async release({ graceMs, to = 'other-program' }: Release): Promise<void> {
    this.#given = true
    this.#givenTo = to
    const before = this.#releasing
    if (before?.turn === this.#turn) {
      before.grace.atMost(graceMs)
      return before.done
    }
    const state = this.state.value
    const model = this.#model
    if (model === undefined || state.status === 'no-model' || state.status === 'failed') return
    const contextTokens =
      'contextTokens' in state ? state.contextTokens : orderOf(model, this.#options, this.wanted).contextTokens
    if (state.status === 'ready') this.#ready = state
    this.state.set({ status: 'asleep', model: model.name, contextTokens, why: 'yielded' })
    clearTimeout(this.#idleTimer)
    clearTimeout(this.#restartTimer)
    const turn = ++this.#turn
    const grace = new Grace(graceMs)
    const done = this.#finish(turn, grace)
    this.#releasing = { turn, grace, done }
    return done
  }

  async #finish(turn: number, grace: Grace): Promise<void> {
    // A model that is only coming finishes nothing in time.
    if (this.#ready !== undefined) await this.#quiet(grace)
    if (turn === this.#turn) await this.#reset(yielded(this.#givenTo))
  }

  /** After `release`: brings the model back now. Throws as `load`. */
  async resume(): Promise<void> {
    this.rest()
    // A wake that was broken off by the release ends by itself.
    await this.#waking?.catch(() => undefined)
    const state = this.state.value
    if (state.status === 'asleep' && state.why === 'idle' && !this.#given) await this.#wake()
  }

  /** After `release`: the next request brings the model back. */
  rest(): void {
    this.#given = false
    const state = this.state.value
    if (state.status !== 'asleep' || state.why !== 'yielded') return
    if (this.#ready === undefined || this.#child === undefined) return this.state.set({ ...state, why: 'idle' })
    this.#turn++
    this.state.set(this.#ready)
    this.#ready = undefined
    this.#watchIdle()
  }

  async *#generate(input: GenerationInput, options: GenerationOptions, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    this.#begin()
    try {
      const child = await this.#awake(signal)
      if (child === undefined) {
        const usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }
        yield { type: 'done', reason: 'cancelled', usage }
        return
      }
      checkCapable(this.#capabilities, input.kind === 'chat' ? input.messages : [], options)
      yield* child.generate(input, options, signal)
    } finally {
      this.#end()
    }
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#begin()
    try {
      return await work()
    } finally {
      this.#end()
    }
  }

  #begin(): void {
    clearTimeout(this.#idleTimer)
    this.#running.update((count) => count + 1)
  }

  #end(): void {
    this.#running.update((count) => count - 1)
    this.#watchIdle()
  }

  #watchIdle(): void {
    clearTimeout(this.#idleTimer)
    if (this.#idleUnloadMs > 0 && this.#running.value === 0)
      this.#idleTimer = setTimeout(() => void this.sleep(), this.#idleUnloadMs).unref()
  }

  /** Resolves when no request is under way, or the grace is over. */
  async #quiet({ over }: Grace): Promise<void> {
    for await (const running of this.#running.values(over)) if (running === 0) return
  }

  /** The process, once the model is there; undefined when `signal` aborted before. */
  async #awake(signal: AbortSignal): Promise<EngineChild | undefined> {
    const { status } = this.state.value
    if (status === 'asleep' || this.#waking !== undefined) {
      if (status === 'asleep' && this.state.value.why === 'yielded') throw yielded(this.#givenTo)
      const aborted = Promise.withResolvers<void>()
      const abort = (): void => aborted.resolve()
      signal.addEventListener('abort', abort, { once: true })
      try {
        if (!signal.aborted) await Promise.race([this.#wake(), aborted.promise])
      } finally {
        signal.removeEventListener('abort', abort)
      }
      if (signal.aborted) return undefined
    }
    const state = this.state.value
    if (state.status !== 'ready' || this.#child === undefined)
      throw state.status === 'asleep' ? yielded(this.#givenTo) : notReadyIn(state)
    return this.#child
  }

  #wake(): Promise<void> {
    this.#waking ??= this.#bringBack().finally(() => {
      this.#waking = undefined
      this.#options.afterWake?.()
    })
    return this.#waking
  }

  async #bringBack(): Promise<void> {
    const model = this.#model
    if (model === undefined || this.#disposed) throw notReady('The engine was shut down.', false)
    const before = this.#turn
    await this.#options.beforeWake?.()
    // Meanwhile the memory may have been given away.
    if (before !== this.#turn) throw this.#overtaken()
    // What is left of the process before must be gone, with its memory.
    const turn = await this.#reset(replaced())
    if (turn !== this.#turn) throw this.#overtaken()
    await this.#startOrFail(model, turn)
  }

  #overtaken(): Failure {
    return this.#given ? yielded(this.#givenTo) : replaced()
  }

  async #startOrFail(model: ModelToLoad, turn: number): Promise<void> {
    try {
      const isCurrent = (): boolean => turn === this.#turn
      await withLess(orderOf(model, this.#options, this.wanted), (order) => this.#start(model, order, turn, 0), {
        isCurrent,
        logger: this.#logger,
      })
    } catch (error) {
      if (turn === this.#turn) this.state.set(failedBy(error))
      throw error
    }
  }

  async #reset(failure: Failure): Promise<number> {
    const turn = ++this.#turn
    clearTimeout(this.#idleTimer)
    clearTimeout(this.#restartTimer)
    const child = this.#child
    this.#child = undefined
    this.#ready = undefined
    if (child !== undefined) this.#gone = Promise.all([this.#gone, child.stop(failure)])
    await this.#gone
    return turn
  }

  async #start(model: ModelToLoad, order: LoadOrder, turn: number, crashes: number): Promise<void> {
    const { entryPath, background = true, whereIs = (path) => path, patience } = this.#options
    this.state.set({ status: 'loading', model: model.name, progress: 0 })
    await this.#options.beforeLoad?.(model)
    if (turn !== this.#turn) throw this.#overtaken()
    const child = new EngineChild({
      entryPath,
      order: { ...order, path: whereIs(order.path) },
      background,
      logger: this.#logger,
      onSpeed: this.#options.onSpeed,
      ...(patience && { patience }),
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
    if (turn !== this.#turn) throw this.#overtaken()
    this.#capabilities = loaded.capabilities
    const readyAtMs = performance.now()
    this.#logger.info('model loaded', {
      model: model.name,
      backend: loaded.backend,
      context: loaded.contextTokens,
      threads: loaded.threads,
    })
    const { contextTokens, backend, devices, notices } = loaded
    const more = { ...(devices.length > 0 && { devices }), ...(notices.length > 0 && { notices }) }
    this.state.set({ status: 'ready', model: model.name, contextTokens, backend, ...more })
    this.#watchIdle()
    void child.exited.then((reason) => {
      if (this.#child !== child) return
      this.#child = undefined
      if (this.#given) return
      this.#restart(model, order, this.#turn, performance.now() - readyAtMs > stableMs ? 0 : crashes, 0, reason)
    })
  }

  #restart(model: ModelToLoad, order: LoadOrder, turn: number, crashes: number, whileLoading: number, reason: string): void {
    const first = this.#options.restartPauseMs ?? 250
    const pauseMs = Math.min(first * 2 ** Math.min(crashes, 10), longestPauseMs)
    this.state.set({
      status: 'restarting',
      reason: `The engine stopped (${reason}) and starts again.`,
      words: { code: 'engine-restarting' },
    })
    this.#restartTimer = setTimeout(() => {
      this.#start(model, order, turn, crashes + 1).catch((error: unknown) => {
        if (turn !== this.#turn) return
        // As `withLess` does.
        const crashed = error instanceof Failure && error.code === 'engine-crashed'
        if (crashed && whileLoading + 1 < mostCrashesWhileLoading)
          this.#restart(
            model,
            whileLoading === 0 ? order : (lighter(order) ?? order),
            turn,
            crashes + 1,
            whileLoading + 1,
            asError(error).message,
          )
        else this.state.set(failedBy(error))
      })
    }, pauseMs)
  }
}

/** Only what is a message's own: the caller's may carry more. */
function plain({ role, content, toolCalls, toolCallId }: ChatMessage): ChatMessage & { toolCalls?: ToolCall[] } {
  return { role, content, ...(toolCalls && { toolCalls: [...toolCalls] }), ...(toolCallId !== undefined && { toolCallId }) }
}
