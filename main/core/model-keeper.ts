import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import type { ModelLibrary, VerifiedModel } from '../models/library.ts'
import type { SettingsStore } from '../storage/settings.ts'
import type { StartProgress } from './start-progress.ts'

export interface ModelKeeperOptions {
  readonly library: ModelLibrary
  readonly engine: LocalEngine
  readonly settings: SettingsStore
  readonly progress: StartProgress
  readonly logger: Logger
  /** Called before the engine gives up the present model: nothing may be answered in its name any more. */
  readonly onUnload: () => Promise<void>
  /** Called when another model is ready to serve. */
  readonly onReady: (model: VerifiedModel) => Promise<void>
}

/**
 * Brings the chosen model into the engine: downloads it if it is missing, checks its hash, loads it, and hands it to the worker.
 * One model at a time; a newer choice replaces what is under way.
 */
export class ModelKeeper {
  readonly #options: ModelKeeperOptions
  #turn = 0
  #current: VerifiedModel | undefined
  /** Ends when the last asked-for change is done; never rejects. */
  #work: Promise<void> = Promise.resolve()

  constructor(options: ModelKeeperOptions) {
    this.#options = options
  }

  get current(): VerifiedModel | undefined {
    return this.#current
  }

  /** First start: the chosen model, else an installed one, else the first of the catalog. */
  start(): void {
    const { library, settings } = this.#options
    this.#run(async () => {
      await library.start()
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
    this.#run(async () => id)
  }

  /** A model came to be installed: it is loaded when nothing else is. */
  installed(id: string): void {
    if (this.#current === undefined) this.#run(async () => id)
  }

  #run(choose: () => Promise<string>): void {
    const turn = ++this.#turn
    this.#work = this.#work
      .then(() => this.#bring(choose, turn))
      .catch((thrown: unknown) => {
        this.#options.logger.error('the model could not be brought into the engine', { reason: asError(thrown).message })
      })
  }

  async #bring(choose: () => Promise<string>, turn: number): Promise<void> {
    const { library, engine, progress, onReady, onUnload } = this.#options
    if (turn !== this.#turn) return
    const model = await progress.run(
      'model',
      async (detail) => {
        const id = await choose()
        this.#check(turn)
        const state = library.models.value.find((one) => one.id === id)
        if (state?.origin === 'catalog' && state.status !== 'installed') {
          detail({ text: `Downloading ${state.name}`, words: { code: 'model-downloading', values: { model: state.name } } })
          await library.download(id)
          this.#check(turn)
        }
        detail({ text: 'Checking the file', words: { code: 'model-checking' } })
        return library.verify(id)
      },
      ({ name }) => name,
    )
    if (turn !== this.#turn) return
    library.setLoaded(undefined)
    this.#current = undefined
    await onUnload()
    await progress.run('engine', (detail) => {
      detail({ text: `Loading ${model.name}`, words: { code: 'model-loading-now', values: { model: model.name } } })
      return engine.load({ path: model.path, name: model.name, ...(model.sampling ? { sampling: model.sampling } : {}) })
    })
    this.#current = model
    library.setLoaded(model.id)
    await onReady(model)
  }

  /** Another choice, or the end of the app, makes what is under way void. */
  #check(turn: number): void {
    if (turn !== this.#turn) throw new Failure('superseded', 'Another model was chosen.')
  }

  async stop(): Promise<void> {
    this.#turn++
    await this.#options.library.stop()
    await this.#work
  }
}
