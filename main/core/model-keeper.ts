import { asError, Failure, toldOf } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { notReady } from '../inference/engine-failures.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import type { ModelLibrary, VerifiedModel } from '../models/library.ts'
import type { SettingsStore } from '../storage/settings.ts'
import { LoadAgain, type Stopped } from './load-again.ts'
import type { StartProgress } from './start-progress.ts'

export interface ModelKeeperOptions {
  readonly library: ModelLibrary
  readonly engine: LocalEngine
  readonly settings: SettingsStore
  readonly progress: StartProgress
  readonly logger: Logger
  /** Called when the library is known, before a model is chosen. */
  readonly onLibrary?: () => void
  /** Called before a model is checked and loaded: nothing else may hold it then. */
  readonly onTake?: (id: string) => Promise<void>
  /** Called before a model's file goes, whether it is in use here or not. */
  readonly onLeave?: (id: string) => Promise<void>
  /** Called before the engine gives up the present model: nothing may be answered in its name any more. */
  readonly onUnload: () => Promise<void>
  /** Called when another model is ready to serve. Ends early when `signal` aborts: the model is given up again. */
  readonly onReady: (model: VerifiedModel, signal: AbortSignal) => Promise<void>
  /** See `LoadAgain`. */
  readonly firstPauseMs?: number
}

interface Given {
  readonly model: VerifiedModel
  /**
   * Ends what is done for the model in the engine: when it is given up, or the app ends. A newer choice alone does not: the model serves on until the
   * next one is proven.
   */
  readonly leave: AbortController
}

/**
 * Brings the chosen model into the engine: downloads it if it is missing, checks its hash, loads it, and hands it to the worker.
 * One model at a time; a newer choice replaces what is under way.
 */
export class ModelKeeper {
  /** Why there is no model, once that is certain; null while there is one or one is on its way. */
  readonly trouble = new Signal<Error | null>(null)
  readonly #options: ModelKeeperOptions
  /** Of what is under way; a newer choice, or the end of the app, aborts it. */
  #turn = new AbortController()
  #current: VerifiedModel | undefined
  /** What the engine holds, or is to hold. */
  #given: Given | undefined
  /** What is to be in use. */
  #id: string | undefined
  readonly #again: LoadAgain
  /** Ends when the last asked-for change is done; never rejects. */
  #work: Promise<void> = Promise.resolve()

  constructor(options: ModelKeeperOptions) {
    this.#options = options
    const { engine, firstPauseMs } = options
    this.#again = new LoadAgain({
      engine: engine.state,
      id: () => this.#id,
      again: () => this.#bringAgain(),
      ...(firstPauseMs !== undefined && { firstPauseMs }),
    })
  }

  /** See `LoadAgain`. */
  get stopped(): Watchable<Stopped | null> {
    return this.#again.stopped
  }

  get current(): VerifiedModel | undefined {
    return this.#current
  }

  /** First start: the chosen model, else an installed one, else the first of the catalog. */
  start(): void {
    const { library, settings } = this.#options
    this.#run(async () => {
      await library.start()
      this.#options.onLibrary?.()
      const models = library.models.value
      const chosen =
        models.find(({ id }) => id === settings.value.model) ?? models.find(({ status }) => status === 'installed') ?? models[0]
      if (!chosen) throw new Failure('no-model', 'There is no model.', { advice: 'Add a GGUF file under Models.' })
      return chosen.id
    })
  }

  /** Uses another model from now on; remembered for the next start. */
  use(id: string): void {
    const { library, settings } = this.#options
    if (!library.models.value.some((model) => model.id === id))
      throw new Failure('not-found', 'There is no such model.', { values: { what: 'model' } })
    settings.change({ model: id })
    this.#again.reset()
    this.#run(async () => id)
  }

  /** Loads the chosen model now, after the engine gave it up. */
  loadAgain(): void {
    this.#again.reset()
    if (this.#again.stopped.value !== null) this.#bringAgain()
  }

  #bringAgain(): void {
    const id = this.#id
    if (id !== undefined) this.#run(async () => id)
  }

  /** A model came to be installed: it is loaded when nothing else is. */
  installed(id: string): void {
    if (this.#current === undefined) this.#run(async () => id)
  }

  /** Gives up a model that is in use, so that its file may go; nothing is in use then until another is chosen. */
  async giveUp(id: string): Promise<void> {
    await this.#options.onLeave?.(id)
    if (this.#current?.id !== id && this.#again.stopped.value?.id !== id) return
    this.#id = undefined
    this.#turn.abort(new Failure('superseded', 'The model was given up.'))
    this.#work = this.#work.then(async () => {
      await this.#giveUp()
      await this.#options.engine.unload()
    })
    await this.#work
  }

  /**
   * Before each load, also when the engine comes back after a crash or a sleep: the file is still the one that was checked when it was chosen. Where it
   * is not, the model is given up, and nothing is answered in its name. Throws as `ModelLibrary.verify`, and `engine-not-ready` while no model is to be
   * in the engine.
   */
  async checkFile(): Promise<void> {
    const { library } = this.#options
    if (this.#given === undefined) throw notReady('The model was given up.', true)
    const { model, leave } = this.#given
    const { signal } = leave
    try {
      const { sha256 } = await library.verify(model.id, signal)
      if (sha256 !== model.sha256) throw changed(model)
    } catch (thrown) {
      if (!signal.aborted && this.#current === model) this.#drop(model, asError(thrown))
      throw thrown
    }
  }

  #drop(model: VerifiedModel, why: Error): void {
    const { engine, progress, logger } = this.#options
    logger.error('the chosen model was given up', { reason: why.message })
    progress.set('engine', 'failed', toldOf(why))
    this.#work = this.#work
      .then(async () => {
        if (this.#current !== model) return
        await this.#giveUp()
        // A release that came in between left it asleep, and `resume` would bring it back.
        await engine.unload(why)
        this.trouble.set(why)
      })
      .catch((thrown: unknown) => logger.error('the model was not given up in peace', { reason: asError(thrown).message }))
  }

  #run(choose: () => Promise<string>): void {
    this.#turn.abort(new Failure('superseded', 'Another model was chosen.'))
    const turn = new AbortController()
    this.#turn = turn
    this.#work = this.#work
      .then(() => this.#bring(choose, turn.signal))
      .catch((thrown: unknown) => {
        if (turn.signal.aborted) return
        const error = asError(thrown)
        this.#options.logger.error('the model could not be brought into the engine', { reason: error.message })
        if (this.#current === undefined) this.trouble.set(error)
      })
  }

  async #bring(choose: () => Promise<string>, signal: AbortSignal): Promise<void> {
    const { library, progress } = this.#options
    signal.throwIfAborted()
    this.trouble.set(null)
    const model = await progress.run(
      'model',
      async (detail) => {
        const id = await choose()
        signal.throwIfAborted()
        this.#id = id
        await this.#options.onTake?.(id)
        signal.throwIfAborted()
        const state = library.models.value.find((one) => one.id === id)
        if (state?.origin === 'catalog' && state.status !== 'installed') {
          detail({ text: `Downloading ${state.name}`, words: { code: 'model-downloading', values: { model: state.name } } })
          await library.download(id, signal)
        }
        detail({ text: 'Checking the file', words: { code: 'model-checking' } })
        return library.verify(id, signal)
      },
      ({ name }) => name,
    )
    signal.throwIfAborted()
    await this.#giveUp()
    await this.#load(model, signal)
  }

  async #load(model: VerifiedModel, signal: AbortSignal): Promise<void> {
    const { library, engine, progress, onReady } = this.#options
    const leave = new AbortController()
    const unload = (): void => {
      leave.abort(signal.reason)
      void engine.unload()
    }
    signal.addEventListener('abort', unload, { once: true })
    this.#given = { model, leave }
    try {
      await progress.run('engine', (detail) => {
        detail({ text: `Loading ${model.name}`, words: { code: 'model-loading-now', values: { model: model.name } } })
        return engine.load({ path: model.path, name: model.name, ...(model.sampling ? { sampling: model.sampling } : {}) })
      })
      signal.throwIfAborted()
      this.#current = model
      library.setLoaded(model.id)
      await onReady(model, signal)
      signal.throwIfAborted()
    } catch (thrown) {
      if (signal.aborted) await this.#giveUp()
      throw thrown
    } finally {
      signal.removeEventListener('abort', unload)
    }
  }

  /** No model is in use from now on. */
  async #giveUp(): Promise<void> {
    this.#options.library.setLoaded(undefined)
    this.#current = undefined
    const given = this.#given
    this.#given = undefined
    await this.#options.onUnload()
    given?.leave.abort(new Failure('superseded', 'The model was given up.'))
  }

  async stop(): Promise<void> {
    const why = new Error('The app stops.')
    this.#turn.abort(why)
    this.#given?.leave.abort(why)
    this.#again.close()
    await this.#options.library.stop()
    await this.#work
  }
}

function changed({ name }: VerifiedModel): Failure<'model-broken'> {
  return new Failure('model-broken', `The file of ${name} is another one than when it was chosen.`, {
    words: { code: 'model-exchanged', values: { model: name } },
    advice: 'Choose it again under Models, if you know why.',
  })
}
