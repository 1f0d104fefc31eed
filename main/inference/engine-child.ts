import { type ChildProcess, fork } from 'node:child_process'
import { setPriority } from 'node:os'
import type { ZodError } from 'zod'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { AnswerSpeed } from './answer-speed.ts'
import type { Embeddings, EngineEvent, GenerationOptions } from './engine.ts'
import { type FromEngine, fromEngine, type GenerationInput, type LoadOrder, type ToEngine, toEngine } from './engine-messages.ts'
import { Inbox } from './inbox.ts'
import { lastWords } from './last-words.ts'
import { SilenceWatch } from './silence-watch.ts'

export interface EngineChildOptions {
  /** The file to run: `engine-process.ts` as source, or its bundle. */
  readonly entryPath: string
  readonly order: LoadOrder
  /** Let everything else on the machine go first. */
  readonly background: boolean
  readonly logger: Logger
  readonly onProgress: (progress: number) => void
  /** How fast an answer was written beside which nothing else was under way, in tokens per second. */
  readonly onSpeed?: ((tokensPerSecond: number) => void) | undefined
  readonly patience?: Patience
}

/** How long nothing may be heard of the process before it is ended, in milliseconds. */
export interface Patience {
  /** While weights are read, which tells of each step. */
  readonly loadMs: number
  /** While the chat template is run, on loading and for each chat, and the text is read into tokens. */
  readonly readMs: number
}

const usualPatience: Patience = { loadMs: 180_000, readMs: 30_000 }

export type Loaded = Omit<FromEngine & { t: 'loaded' }, 't'>
type Answer = FromEngine & { t: 'reading' | 'read' | 'event' | 'embeddings' | 'failed' }

/** Of a process that is no more, whoever ended it. */
const goneCodes: ReadonlySet<string> = new Set(['engine-crashed', 'engine-not-ready', 'engine-yielded'])

/** Half way to the usual "below normal": others go first, but an answer still comes on a busy machine. */
const background = 5

/** One engine process, from its start to its end. */
export class EngineChild {
  readonly #child: ChildProcess
  readonly #logger: Logger
  readonly #open = new Map<number, Inbox<Answer>>()
  readonly #speeds = new Map<number, AnswerSpeed>()
  readonly #onSpeed: EngineChildOptions['onSpeed']
  readonly #ready = Promise.withResolvers<Loaded>()
  readonly #exited = Promise.withResolvers<string>()
  #nextId = 1
  #stderr = ''
  #stopping: Failure | undefined
  #over = false
  readonly #patience: Patience
  /** While it loads. */
  #silence: SilenceWatch

  constructor(options: EngineChildOptions) {
    this.#logger = options.logger
    this.#onSpeed = options.onSpeed
    this.#patience = options.patience ?? usualPatience
    this.#silence = new SilenceWatch(this.#patience.loadMs, () => this.#giveUpLoading(silentLoad()))
    this.#child = fork(options.entryPath, [String(process.pid)], { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    if (options.background) this.#yieldToOthers()
    this.#ready.promise.catch(() => undefined)
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4096)
    })
    this.#child.on('message', (raw) => this.#receive(raw, options.onProgress))
    this.#child.on('error', (error) => this.#end(`it could not be started: ${error.message}`))
    this.#child.on('exit', (code, signal) => this.#end(signal === null ? `it ended with code ${code}` : `it ended by ${signal}`))
    this.#tell({ t: 'load', order: options.order })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Settles once: with the loaded model, or `Failure` `model-load-failed`, `too-little-memory`, `engine-crashed`, `engine-not-ready` (stopped meanwhile). */
  get ready(): Promise<Loaded> {
    return this.#ready.promise
  }

  /** Resolves with the reason when the process is gone. */
  get exited(): Promise<string> {
    return this.#exited.promise
  }

  async *generate(input: GenerationInput, options: GenerationOptions, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const id = this.#nextId++
    let tokens = 0
    let ended = false
    let silence: SilenceWatch | undefined
    this.#speeds.set(id, new AnswerSpeed())
    try {
      const order = { t: 'generate', id, input, options: withoutUndefined(options) }
      for await (const message of this.#answers(id, order, signal)) {
        silence?.stop()
        if (message.t === 'reading') silence = new SilenceWatch(this.#patience.readMs, () => this.#giveUpReading(id))
        if (message.t !== 'event') continue
        ended = message.event.type === 'done'
        if ('tokens' in message.event) tokens += message.event.tokens
        yield message.event
        if (ended) return
      }
    } catch (error) {
      const gone = error instanceof Failure && goneCodes.has(error.code)
      if (!gone || ended || !signal.aborted) throw error
      // The engine died after the stop: what was seen is the usage so far.
      const usage = { promptTokens: 0, cachedTokens: 0, completionTokens: tokens, reasoningTokens: 0 }
      yield { type: 'done', reason: 'cancelled', usage }
    } finally {
      silence?.stop()
      this.#speeds.delete(id)
    }
  }

  async embed(inputs: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    const id = this.#nextId++
    try {
      for await (const message of this.#answers(id, { t: 'embed', id, inputs }, signal))
        if (message.t === 'embeddings') return message
    } catch (error) {
      if (!signal.aborted) throw error
    }
    throw new Failure('cancelled', 'The request was cancelled.')
  }

  /** What the process says to one order, until it is read no further. Throws what the process failed with. */
  async *#answers(id: number, order: object, signal: AbortSignal): AsyncGenerator<Answer> {
    const request = toEngine.safeParse(order)
    if (!request.success) throw badRequest(request.error)
    const inbox = new Inbox<Answer>()
    if (this.#over) inbox.fail(this.#crash('it is gone'))
    this.#open.set(id, inbox)
    const cancel = (): void => this.#tell({ t: 'cancel', id })
    let ended = false
    try {
      this.#tell(request.data)
      if (signal.aborted) cancel()
      else signal.addEventListener('abort', cancel, { once: true })
      for (;;) {
        const message = await inbox.take()
        ended = message.t === 'event' ? message.event.type === 'done' : message.t !== 'reading' && message.t !== 'read'
        if (message.t === 'failed') throw generationFailure(message)
        yield message
      }
    } catch (error) {
      ended = true
      throw error
    } finally {
      signal.removeEventListener('abort', cancel)
      if (!ended) cancel()
      this.#open.delete(id)
    }
  }

  /** Ends the process at once; running generations fail with `failure`. Resolves when it is gone. */
  async stop(failure: Failure): Promise<void> {
    this.#stopping ??= failure
    this.#child.kill('SIGKILL')
    await this.exited
  }

  /** Nothing is heard of it, and it hears nothing. */
  #giveUpLoading(failure: Failure): void {
    this.#logger.error('engine process ended: it was silent while it loaded', { reason: failure.message })
    this.#ready.reject(failure)
    void this.stop(failure)
  }

  #giveUpReading(id: number): void {
    this.#logger.error('engine process ended: it was silent while it read a request')
    this.#open.get(id)?.fail(silentRead())
    this.#child.kill('SIGKILL')
  }

  #receive(raw: unknown, onProgress: (progress: number) => void): void {
    const parsed = fromEngine.safeParse(raw)
    if (!parsed.success) {
      this.#logger.error('unknown message from the engine process')
      return
    }
    const message = parsed.data
    this.#silence.heard()
    switch (message.t) {
      case 'progress':
        return onProgress(message.progress)
      case 'reading-template':
        this.#silence.stop()
        this.#silence = new SilenceWatch(this.#patience.readMs, () => this.#giveUpLoading(slowTemplate()))
        return
      case 'loaded':
        this.#silence.stop()
        return this.#ready.resolve(message)
      case 'load-failed':
        this.#logger.warn('model not loaded', { reason: message.message })
        return this.#ready.reject(loadFailure(message))
      case 'log':
        return this.#logger[message.level](message.message)
      default:
        if (message.t === 'event') this.#measure(message.id, message.event)
        this.#open.get(message.id)?.put(message)
    }
  }

  /** As it comes: who reads it may take its time. */
  #measure(id: number, event: EngineEvent): void {
    const speed = this.#speeds.get(id)?.take(event, this.#open.size === 1)
    if (speed !== undefined) this.#onSpeed?.(speed)
  }

  #tell(message: ToEngine): void {
    if (this.#over || !this.#child.connected) return
    this.#child.send(message, (error) => {
      if (error !== null) this.#logger.debug('engine process not reached', { reason: error.message })
    })
  }

  #end(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#silence.stop()
    if (this.#stopping === undefined) this.#logger.error('engine process ended', { reason, lastWords: lastWords(this.#stderr) })
    const failure = this.#stopping ?? this.#crash(reason)
    this.#ready.reject(failure)
    for (const inbox of this.#open.values()) inbox.fail(failure)
    this.#exited.resolve(reason)
  }

  #crash(reason: string): Failure<'engine-crashed'> {
    return new Failure('engine-crashed', 'The engine stopped unexpectedly while it was at work.', {
      advice: 'It restarts by itself. Try again in a few seconds.',
      retryable: true,
      cause: new Error(reason),
    })
  }

  /** Set before the child starts threads of its own, which inherit it. */
  #yieldToOthers(): void {
    try {
      if (this.#child.pid !== undefined) setPriority(this.#child.pid, background)
    } catch (error) {
      this.#logger.warn('engine priority not lowered', { reason: asError(error).message })
    }
  }
}

function badRequest(error: ZodError): Failure<'bad-request'> {
  const [issue] = error.issues
  const path = issue?.path.slice(1).join('.') ?? ''
  return new Failure(
    'bad-request',
    `The request cannot be answered: ${path === '' ? '' : `${path}: `}${issue?.message ?? 'bad value'}`,
  )
}

function withoutUndefined(options: GenerationOptions): Partial<GenerationOptions> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function generationFailure({ code, message, field }: FromEngine & { t: 'failed' }): Failure {
  if (code === 'context-too-small') return new Failure(code, message, { advice: 'Shorten the text, or start a new chat.' })
  if (code !== 'generation-failed') return new Failure(code, message, field === undefined ? {} : { values: { field } })
  return new Failure(code, `The answer could not be generated: ${message}`, { retryable: true })
}

function loadFailure({ message, wantOfMemory }: FromEngine & { t: 'load-failed' }): Failure {
  if (wantOfMemory)
    return new Failure('too-little-memory', `There is too little memory for the model: ${message}`, {
      advice: 'Choose a smaller model, or close other programs.',
    })
  return new Failure('model-load-failed', `The model could not be loaded: ${message}`, {
    advice: 'Choose another model, or delete this one and download it again.',
  })
}

function silentLoad(): Failure<'model-load-failed'> {
  return new Failure('model-load-failed', 'The model could not be loaded: nothing was heard of it for too long.', {
    advice: 'Load it again, or choose another model.',
    words: { code: 'model-silent' },
  })
}

function slowTemplate(): Failure<'model-load-failed'> {
  return new Failure(
    'model-load-failed',
    'The model could not be loaded: its chat template, a part of the file, does not come to an end.',
    {
      advice: 'Choose another model.',
      words: { code: 'model-template-slow' },
    },
  )
}

function silentRead(): Failure<'generation-failed'> {
  return new Failure(
    'generation-failed',
    "The answer could not be generated: the model's chat template did not come to an end.",
    {
      advice: 'Ask otherwise, or choose another model.',
      words: { code: 'template-slow' },
    },
  )
}
