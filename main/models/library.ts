import { realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { ModelState } from '../../preload/api/system.ts'
import { asError, Failure } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { SharedWork } from '../base/shared-work.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { CatalogEntry } from './catalog.ts'
import { sha256OfFile } from './file-hash.ts'
import { type GgufHeader, readGgufHeader } from './gguf.ts'
import { type ModelIdentity, modelIdentity } from './identity.ts'
import type { ModelLayout } from './layout.ts'
import { ModelFiles } from './model-files.ts'
import { brokenBy, problemOf, sentence, shippedState, unknownModel } from './model-states.ts'
import { folderAway, modelsMoving, movedPath } from './moved-folder.ts'
import { type ObtainOptions, obtain, removeParts } from './obtain.ts'
import { forgetPieces } from './piece-list.ts'
import { SpeedMeter } from './speed-meter.ts'
import { takeOwn } from './take-own.ts'

export interface ModelLibraryOptions {
  /** Folder of the library, e.g. `<data folder>/models`. Made if missing. */
  readonly folder: string
  readonly catalog: readonly CatalogEntry[]
  readonly logger?: Logger
  readonly http?: ObtainOptions['http']
  readonly wheel?: ObtainOptions['wheel']
  readonly freeBytes?: (folder: string) => Promise<number>
  /** Asked each time; see `obtain`. */
  readonly mirror?: () => string | null
  /** False for a folder that the user chose: it is not made where it is missing. Default: true. */
  readonly isOwnFolder?: (folder: string) => boolean
}

/** A model whose file was checked and may be loaded. */
export interface VerifiedModel {
  readonly id: string
  readonly name: string
  readonly path: string
  readonly sha256: string
  readonly header: GgufHeader
  readonly identity: ModelIdentity
  readonly sampling: CatalogEntry['sampling']
  readonly origin: 'catalog' | 'own'
}

interface Download {
  readonly abort: AbortController
  readonly done: Promise<void>
  /** Somebody asked for it for good, not only as long as a signal stands. */
  kept: boolean
}

/** Models on this computer and those it can get. Nothing in it is trusted before `verify`. */
export class ModelLibrary {
  readonly #options: ModelLibraryOptions
  readonly #logger: Logger
  readonly #files: ModelFiles
  /** No file may come or go: they are being moved. */
  #isHeld = false
  readonly #states = new Signal<readonly ModelState[]>([])
  readonly #downloads = new Map<string, Download>()
  readonly #checks = new SharedWork<VerifiedModel>()

  constructor(options: ModelLibraryOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
    const { folder, catalog, isOwnFolder = () => true } = options
    this.#files = new ModelFiles({ folder, catalog, isOwnFolder })
  }

  get models(): Watchable<readonly ModelState[]> {
    return this.#states
  }

  /** Where GGUF files may be put by hand. */
  get folder(): string {
    return this.#files.folder
  }

  /** Whether files come at this moment. */
  get isDownloading(): boolean {
    return this.#downloads.size > 0
  }

  /** From now on, or until `held` is false, nothing is downloaded, added or deleted: such calls throw `models-moving`. */
  hold(held: boolean): void {
    this.#isHeld = held
  }

  /** Where a file is now that was at `path` when the app started, or since. */
  whereIs(path: string): string {
    return this.#files.whereIs(path)
  }

  /**
   * The same files lie in another folder. What is remembered is written there; then `commit` has to make it count, and no file is looked for in the
   * old folder any more. What `commit` throws leaves everything as it was.
   */
  async relocate(to: string, commit: () => void): Promise<void> {
    const from = this.folder
    // What is being read is read to its end: its path goes to those who asked for it.
    await this.#files.relocate(to, () => this.#checks.idle(), commit)
    this.#states.update((states) =>
      states.map((state) => (state.path === null ? state : { ...state, path: movedPath(state.path, from, to) })),
    )
  }

  /** Looks for models in another folder from the next `start` on. Only before the library was started, or after that failed. */
  lookIn(folder: string): void {
    this.#files.lookIn(folder)
  }

  /** What the header of a model that is here says about its shape; undefined before it is here, or when it says too little. */
  layoutOf(id: string): ModelLayout | undefined {
    return this.#files.layoutOf(id)
  }

  /** What a model is called, before its hash is known; undefined while it is not here. */
  baseNameOf(id: string): string | undefined {
    const path = this.#state(id)?.path ?? null
    return path === null ? undefined : this.#files.baseNameOf(id, path)
  }

  /** Looks at what is there: headers and sizes, not yet hashes. Files put into the folder by hand become own models. */
  async start(): Promise<void> {
    await this.#files.open()
    this.#states.set(await this.#files.examineAll())
    this.#files.save()
  }

  /** Cancels what is running. */
  async stop(): Promise<void> {
    for (const { abort } of this.#downloads.values()) abort.abort()
    await Promise.allSettled([...this.#downloads.values()].map(({ done }) => done))
  }

  /**
   * Downloads a catalog model; resolves when it is installed. A broken one is replaced. Throws as `obtain`, or `unknown-model`. When `signal`
   * aborts it throws the signal's reason, and the download ends unless somebody else asked for it without one.
   */
  async download(id: string, signal?: AbortSignal): Promise<void> {
    const running = this.#downloads.get(id) ?? this.#beginDownload(id)
    if (running === undefined) return
    if (signal === undefined) {
      running.kept = true
      return running.done
    }
    try {
      await untilAborted(running.done, signal)
    } finally {
      // What it wrote is at rest before anything else begins.
      if (signal.aborted && !running.kept) await this.cancelDownload(id)
    }
  }

  /** Undefined when there is nothing to download. */
  #beginDownload(id: string): Download | undefined {
    const entry = this.#files.entryOf(id)
    if (entry === undefined) throw unknownModel()
    if (this.#state(id)?.status === 'installed') return undefined
    this.#refuseHeld()
    const abort = new AbortController()
    const done = this.#download(entry, abort.signal).finally(() => this.#downloads.delete(id))
    const download = { abort, done, kept: false }
    this.#downloads.set(id, download)
    return download
  }

  /** Stops a download; what was received is kept for the next try. */
  async cancelDownload(id: string): Promise<void> {
    const running = this.#downloads.get(id)
    running?.abort.abort()
    await running?.done.catch(() => undefined)
  }

  /** Stops a download, if there is one, and removes what it left. */
  async discardDownload(id: string): Promise<void> {
    this.#refuseHeld()
    await this.cancelDownload(id)
    const entry = this.#files.entryOf(id)
    if (entry === undefined) throw unknownModel()
    await removeParts(this.folder, entry)
    this.#put(await this.#files.examineShipped(entry))
  }

  /** Adds a file where it lies. Throws `Failure` `not-a-model`. */
  async addFile(path: string): Promise<ModelState> {
    this.#refuseHeld()
    await readGgufHeader(path)
    const real = await realpath(path)
    const known = this.#states.value.find((state) => state.path === real)
    if (known !== undefined) return known
    const id = await this.#files.addOwn(real)
    this.#files.save()
    const state = await this.#files.examineOwn(id)
    if (state === undefined) throw unknownModel()
    this.#put(state)
    return state
  }

  /** Deletes the file of a model. Of a file outside the library folder only the entry goes: it was never ours. */
  async delete(id: string): Promise<void> {
    const state = this.#state(id)
    if (state === undefined) throw unknownModel()
    if (state.loaded)
      throw new Failure('model-in-use', `${state.name} is in use.`, {
        advice: 'Choose another model first.',
        values: { model: state.name },
      })
    this.#refuseHeld()
    await this.cancelDownload(id)
    const entry = this.#files.entryOf(id)
    const path = this.#files.pathOf(id)
    if (path !== undefined && dirname(path) === this.folder) await rm(path, { force: true })
    const hashes = entry === undefined ? [] : [...this.#files.hashesOf(entry)]
    const { sha256 } = this.#files.records[id] ?? {}
    if (entry !== undefined && sha256) hashes.push(sha256)
    if (entry !== undefined) await removeParts(this.folder, entry)
    delete this.#files.records[id]
    this.#files.save()
    const others = Object.values(this.#files.records).filter(({ origin }) => origin === 'catalog')
    for (const hash of hashes) if (!others.some((record) => record.sha256 === hash)) await forgetPieces(this.folder, hash)
    if (entry === undefined) this.#states.update((states) => states.filter((item) => item.id !== id))
    else this.#put(await this.#files.examineShipped(entry))
  }

  /**
   * Checks a model before it is loaded: header, and SHA-256 unless size and time are those of the last check. Throws `Failure`
   * `unknown-model`, `model-missing` or `model-broken`; the state says the same. Throws the reason of `signal` when that aborts; a check that somebody
   * else waits for goes on.
   */
  verify(id: string, signal?: AbortSignal): Promise<VerifiedModel> {
    return this.#checks.join(id, (leave) => this.#verify(id, leave), signal)
  }

  /** Says which model the engine holds, if any. */
  setLoaded(id: string | undefined): void {
    this.#states.update((states) => states.map((state) => ({ ...state, loaded: state.id === id })))
  }

  /** Remembers the speed measured with a model on this machine. Answers may come by the second, and a tenth more or less says nothing new. */
  setSpeed(id: string, tokensPerSecond: number): void {
    const [record, state] = [this.#files.records[id], this.#state(id)]
    if (record === undefined || state === undefined) return
    const { tokensPerSecond: before } = record
    if (before !== undefined && Math.abs(tokensPerSecond - before) < before / 10) return
    record.tokensPerSecond = tokensPerSecond
    try {
      this.#files.save()
    } catch (thrown) {
      this.#logger.warn('the measured speed could not be kept', { reason: asError(thrown).message })
    }
    this.#put({ ...state, tokensPerSecond })
  }

  async #download(entry: CatalogEntry, signal: AbortSignal): Promise<void> {
    const { http, wheel, freeBytes, mirror } = this.#options
    const folder = this.folder
    const meter = new SpeedMeter()
    const found = this.#state(entry.id)
    // Why it is fetched again is said for as long as it takes.
    const why = found?.status === 'broken' ? brokenBy(found) : {}
    if (found?.problem !== undefined)
      this.#logger.warn('a model file is fetched again', { model: entry.id, reason: found.problem })
    try {
      const files = this.#files.records
      const here = await takeOwn({
        ...{ entry, files, signal, logger: this.#logger, path: this.#files.shippedPath(entry) },
        ...{ hashes: this.#files.hashesOf(entry), mayBe: (id, size) => this.#files.mayBe(entry, id, size) },
        onHashing: () => this.#put(shippedState(entry, { ...why, status: 'verifying' })),
        ...(freeBytes && { freeBytes }),
      })
      const got =
        here ??
        (await obtain({
          entry,
          folder,
          pins: this.#files.pins,
          mirror: mirror?.() ?? null,
          signal,
          logger: this.#logger,
          ...(http && { http }),
          ...(wheel && { wheel }),
          ...(freeBytes && { freeBytes }),
          onStep: (step) => {
            if (step.status === 'verifying') this.#put(shippedState(entry, { ...why, status: 'verifying' }))
            else if (meter.add(step.progress.receivedBytes)) {
              const progress = { ...step.progress, bytesPerSecond: meter.bytesPerSecond, source: step.source }
              this.#put(shippedState(entry, { ...why, status: 'downloading', progress }))
            }
          },
        }))
      const { size, mtimeMs } = await stat(got.path)
      if (got.learned !== undefined) this.#files.pins[got.learned.url] = got.learned.pin
      this.#files.records[entry.id] = {
        path: got.path,
        origin: 'catalog',
        sizeBytes: size,
        mtimeMs,
        sha256: got.sha256,
        source: got.source,
      }
      this.#files.save()
      this.#put(await this.#files.examineShipped(entry))
    } catch (error) {
      const failure = asError(error)
      const before = await this.#files.examineShipped(entry)
      const cancelled = error instanceof Failure && error.code === 'cancelled'
      // A file that is broken stays broken when its repair fails: both have to be said.
      const problem = [before.problem, sentence(failure)].filter((part) => part !== undefined).join(' ')
      const { problemWords: known, ...unnamed } = before
      const own = problemOf(error).problemWords
      const words = before.problem === undefined ? own : known && own && [...known, ...own]
      this.#put(cancelled ? before : { ...unnamed, problem, ...(words && { problemWords: words }) })
      throw error
    }
  }

  async #verify(id: string, signal: AbortSignal): Promise<VerifiedModel> {
    const state = this.#state(id)
    if (state === undefined) throw unknownModel()
    const entry = this.#files.entryOf(id)
    const path = this.#files.pathOf(id)
    if (path === undefined || state.status === 'absent' || state.status === 'downloading')
      throw new Failure('model-missing', `${state.name} is not on this computer.`, {
        advice: 'Download it on the Models screen.',
        values: { model: state.name },
      })
    let found: { readonly header: GgufHeader; readonly size: number; readonly mtimeMs: number; readonly sha256: string }
    try {
      const header = await readGgufHeader(path)
      const { size, mtimeMs } = await stat(path)
      const record = this.#files.records[id]
      let sha256 = record?.sizeBytes === size && record.mtimeMs === mtimeMs ? record.sha256 : null
      if (sha256 === null) {
        this.#put({ ...state, status: 'verifying' })
        sha256 = await sha256OfFile(path, signal)
      }
      if (entry !== undefined && !this.#files.hashesOf(entry).has(sha256))
        throw new Failure('model-broken', 'The file was changed or is damaged: its checksum is wrong.', {
          words: { code: 'model-changed' },
        })
      found = { header, size, mtimeMs, sha256 }
    } catch (error) {
      if (signal.aborted) {
        this.#put(state)
        throw signal.reason
      }
      const problem = sentence(asError(error))
      const { problemWords: _, ...unnamed } = state
      this.#put({ ...unnamed, status: 'broken', ...problemOf(error), sha256: null })
      throw new Failure('model-broken', `${state.name} cannot be used. ${problem}`, {
        values: { model: state.name },
        advice: entry === undefined ? 'Add the file again, or choose another model.' : 'Download it again on the Models screen.',
        cause: error,
      })
    }
    const { header, size, mtimeMs, sha256 } = found
    const { source = null, tokensPerSecond: speed } = this.#files.records[id] ?? {}
    const origin = entry === undefined ? 'own' : 'catalog'
    this.#files.records[id] = {
      ...{ path, origin, sizeBytes: size, mtimeMs, sha256, source },
      ...(speed !== undefined && { tokensPerSecond: speed }),
    }
    this.#remember()
    const { problem: _, problemWords: __, ...rest } = state
    const own = state.own && { own: this.#files.ownFile(state.own.isInFolder, sha256) }
    this.#put({ ...rest, ...own, status: 'installed', sha256, sizeBytes: size })
    this.#files.learn(id, header)
    const identity = modelIdentity(this.#files.originOf(id), basename(path), header.quantization, sha256)
    return { id, name: state.name, path, sha256, header, identity, sampling: entry?.sampling, origin }
  }

  /** A file is judged by what is in it: what cannot be remembered of it is found out again after the next start. */
  #remember(): void {
    try {
      this.#files.save()
    } catch (thrown) {
      this.#logger.warn('what is known of the models could not be kept', { reason: asError(thrown).message })
    }
  }

  #refuseHeld(): void {
    if (this.#files.isAway) throw folderAway(this.folder)
    if (this.#isHeld) throw modelsMoving()
  }

  #state(id: string): ModelState | undefined {
    return this.#states.value.find((state) => state.id === id)
  }

  #put(state: ModelState): void {
    this.#states.update((states) => {
      const loaded = states.find((item) => item.id === state.id)?.loaded ?? false
      const next = { ...state, loaded }
      return states.some((item) => item.id === state.id)
        ? states.map((item) => (item.id === state.id ? next : item))
        : [...states, next]
    })
  }
}
