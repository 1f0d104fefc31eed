import { existsSync } from 'node:fs'
import { realpath, rm, rmdir, writeFile } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import type { ModelsMove } from '../../preload/api/model-fit.ts'
import { writeFailure } from '../base/atomic-file.ts'
import { asError, Failure, toldOf } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { ModelLibrary } from './library.ts'
import { recordsName } from './library-records.ts'
import { makeFolder } from './make-folder.ts'
import type { ModelsPlace } from './models-place.ts'
import { areNested, type CopyOptions, checkRoomFor, copyFiles, isEmpty, removeCopies, removeFiles } from './move-files.ts'
import { modelsMoving } from './moved-folder.ts'
import { SpeedMeter } from './speed-meter.ts'
import { failing } from './whole-writes.ts'

export interface ModelMoverOptions extends Pick<CopyOptions, 'freeBytes' | 'onStep' | 'secondNames' | 'chunkBytes'> {
  readonly library: Pick<ModelLibrary, 'folder' | 'hold' | 'relocate' | 'isDownloading' | 'lookIn'>
  /** Where the models lie as long as nobody moves them. */
  readonly ownFolder: string
  readonly place: ModelsPlace
  readonly logger?: Logger
}

/** Where models go when the chosen folder holds other things. */
const ownName = 'Cocoon models'
/** Lies in a folder that models are being moved to. Where a disk is missing, the folder that stands in its place has none. */
const mark = 'moving-here.txt'
const notTheRecords: ReadonlySet<string> = new Set([recordsName])

/**
 * Moves the folder of the models. Everything is copied first and compared; then one write makes the new folder count; then the originals go. A
 * process that is ended at any moment finds in `ModelsPlace` what to finish, so no model is lost and none is there twice. The engine keeps the
 * file that it has open; the next start of its process takes the new one.
 */
export class ModelMover {
  readonly #options: ModelMoverOptions
  readonly #logger: Logger
  readonly #state = new Signal<ModelsMove>({ status: 'idle' })
  #abort = new AbortController()
  /** A `start` that has not begun to copy. */
  #starting: Promise<void> | undefined
  /** Never rejects. */
  #work: Promise<void> = Promise.resolve()

  constructor(options: ModelMoverOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
    if (options.place.value.move !== null) options.library.hold(true)
  }

  get state(): Watchable<ModelsMove> {
    return this.#state
  }

  /**
   * Begins a move, after it was seen that the folder can be used and has room. Throws `Failure` `models-moving`, `models-downloading`, `folder-bad`,
   * `folder-taken`, `folder-nested`, `disk-full` or `write-failed`, or `cancelled` when `cancel` or `stop` comes before the copying.
   */
  async start(chosen: string): Promise<void> {
    this.#refuseMoving()
    const abort = new AbortController()
    this.#abort = abort
    // A second call, or `resume`, must not come in between.
    this.#starting = this.#start(chosen, abort.signal).finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #start(chosen: string, signal: AbortSignal): Promise<void> {
    const { library, place, freeBytes } = this.#options
    if (place.value.leave !== null) await this.#leave()
    if (place.value.leave !== null)
      throw new Failure('models-left', `A program still has files of the last move open in ${place.value.leave.folder}.`, {
        advice: 'Start the app again, then move.',
        values: { folder: place.value.leave.folder },
      })
    if (library.isDownloading)
      throw new Failure('models-downloading', 'A model is being downloaded.', {
        advice: 'Pause the download or wait until it is done, then move.',
      })
    // A download must not come in between.
    library.hold(true)
    try {
      const to = await this.#usable(chosen)
      await checkRoomFor(library.folder, to, freeBytes)
      await failing(to, writeFile(join(to, mark), 'Cocoon Desktop is moving models here.\n', { mode: 0o600 }))
      if (signal.aborted) {
        await rm(join(to, mark), { force: true })
        await rmdir(to).catch(() => undefined)
        throw signal.reason
      }
      place.change({ move: { to, undo: false } })
    } catch (thrown) {
      library.hold(false)
      throw thrown
    }
    this.#run()
  }

  /** Goes on with what an earlier run of the app, or a failure, left unfinished. Only after the library was started. */
  resume(): void {
    // A second run would take the first one's place: nothing could stop that any more.
    if (this.#isUnderWay) return
    const { move, leave } = this.#options.place.value
    if (move !== null || leave !== null) this.#run()
    else this.#state.set({ status: 'idle' })
  }

  /** The folder of the models is not there, e.g. because its disk is not connected. */
  away(): void {
    this.#state.set({ status: 'away', folder: this.#options.place.value.folder })
  }

  /** Forgets a folder that is not there: the library begins anew in the app's own one. What lies in the other is left alone. */
  forgetFolder(): void {
    if (this.#state.value.status !== 'away') return
    const { place, library, ownFolder } = this.#options
    place.change({ folder: ownFolder, move: null, leave: null })
    library.lookIn(ownFolder)
    library.hold(false)
    this.#state.set({ status: 'idle' })
  }

  /** Gives up a move: what was copied goes, the models stay where they are. After the new folder counts there is nothing to give up. */
  async cancel(): Promise<void> {
    const { place } = this.#options
    await this.#end('The move was cancelled.')
    if (place.value.move === null) return
    place.change({ move: { ...place.value.move, undo: true } })
    this.#run()
    await this.#work
  }

  /** Stops at once; the next start of the app goes on. */
  async stop(): Promise<void> {
    await this.#end('The app stops.')
  }

  /** Afterwards nothing is at work. */
  async #end(why: string): Promise<void> {
    this.#abort.abort(new Failure('cancelled', why))
    // Who started it hears why it did not begin.
    await this.#starting?.catch(() => undefined)
    await this.#work
  }

  get #isUnderWay(): boolean {
    return this.#starting !== undefined || this.#state.value.status === 'moving'
  }

  #refuseMoving(): void {
    if (this.#options.place.value.move !== null || this.#isUnderWay) throw modelsMoving()
  }

  async #usable(chosen: string): Promise<string> {
    if (!isAbsolute(chosen))
      throw new Failure('folder-bad', 'That is no folder of this computer.', { advice: 'Give its whole path.' })
    let to = resolve(chosen)
    try {
      if (!(await isEmpty(to))) to = join(to, ownName)
      if (!(await isEmpty(to)))
        throw new Failure('folder-taken', `${to} is not empty.`, { advice: 'Choose another folder.', values: { folder: to } })
      await makeFolder(to)
      const [real, from] = [await realpath(to), await realpath(this.#options.library.folder)]
      if (!areNested(real, from)) return real
      await rmdir(to)
    } catch (thrown) {
      throw thrown instanceof Failure ? thrown : writeFailure(to, thrown)
    }
    throw new Failure('folder-nested', 'The models cannot be moved into their own folder.', { advice: 'Choose another folder.' })
  }

  #run(): void {
    const abort = new AbortController()
    this.#abort = abort
    const { move, folder } = this.#options.place.value
    this.#state.set({ status: 'moving', to: move?.to ?? folder, doneBytes: 0, totalBytes: 0, file: '', bytesPerSecond: 0 })
    this.#work = this.#work.then(async () => {
      const { place, library } = this.#options
      try {
        if (place.value.move?.undo) await this.#undo(place.value.move.to)
        else if (place.value.move !== null) await this.#move(place.value.move.to, abort.signal)
        library.hold(false)
        await this.#leave()
      } catch (thrown) {
        const { move } = place.value
        if (!abort.signal.aborted) this.#logger.error('the models could not be moved', { reason: asError(thrown).message })
        const { text, words } = toldOf(thrown)
        this.#state.set(
          move === null
            ? { status: 'idle' }
            : { status: 'stopped', to: move.to, problem: text, ...(words && { problemWords: { ...words } }) },
        )
      }
    })
  }

  async #move(to: string, signal: AbortSignal): Promise<void> {
    const { library, place, onStep, freeBytes, secondNames, chunkBytes } = this.#options
    const from = library.folder
    if (!existsSync(join(to, mark)))
      throw new Failure('move-target-away', `${to} is not there.`, {
        advice: 'Connect its disk and continue, or cancel the move.',
        retryable: true,
        values: { folder: to },
      })
    const meter = new SpeedMeter()
    const show = (doneBytes: number, totalBytes: number, file: string): void =>
      this.#state.set({ status: 'moving', to, doneBytes, totalBytes, file, bytesPerSecond: meter.bytesPerSecond })
    const files = await copyFiles({
      ...{ from, to, except: notTheRecords, signal, freeBytes, onStep, secondNames, chunkBytes },
      onProgress: ({ doneBytes, totalBytes, file }) => {
        if (meter.add(doneBytes)) show(doneBytes, totalBytes, file)
      },
    })
    signal.throwIfAborted()
    onStep?.()
    await library.relocate(to, () => {
      onStep?.()
      place.change({ folder: to, move: null, leave: { folder: from, files: [...files] } })
    })
    this.#logger.info('the models lie elsewhere now', { files: files.length })
  }

  async #undo(to: string): Promise<void> {
    const { library, place, onStep } = this.#options
    // Without the mark it is another folder, e.g. of another disk in the same place: what lies there is not ours.
    if (existsSync(join(to, mark))) await removeCopies(library.folder, to, { also: recordsName, last: mark }, onStep)
    onStep?.()
    place.change({ move: null })
  }

  /** Removes the originals after a move. What cannot be removed now, because a program has it open, is tried again when the app starts. */
  async #leave(): Promise<void> {
    const { place, onStep } = this.#options
    const { leave, folder } = place.value
    if (leave === null) return this.#state.set({ status: 'idle' })
    await rm(join(folder, mark), { force: true })
    const stayed = await removeFiles(leave.folder, leave.files, folder, onStep)
    await rm(join(leave.folder, recordsName), { force: true })
    if (stayed.length === 0) await rmdir(leave.folder).catch(() => undefined)
    onStep?.()
    place.change({ leave: stayed.length === 0 ? null : { folder: leave.folder, files: stayed } })
    this.#state.set(stayed.length === 0 ? { status: 'idle' } : { status: 'idle', leftIn: leave.folder })
  }
}
