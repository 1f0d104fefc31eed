import { readFileSync, renameSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { type Logger, silentLogger } from '../base/logger.ts'

const folder = z.string().min(1).refine(isAbsolute, 'no absolute path')

/** A file as it was when it was copied: only such a one is removed later. */
const leftFile = z.object({ name: z.string().min(1), size: z.number().int().nonnegative(), mtimeMs: z.number() })
export type LeftFile = z.infer<typeof leftFile>

const place = z.object({
  version: z.literal(1),
  /** Where the models are. This one word decides: a move is done when it is written. */
  folder,
  /** A move that is under way, or on its way back: `to` holds copies alone. */
  move: z.object({ to: folder, undo: z.boolean() }).nullable(),
  /** After a move: what is still to be removed where the models were. */
  leave: z.object({ folder, files: z.array(leftFile) }).nullable(),
})
type Place = z.infer<typeof place>

/** Where the models lie, and what has to be finished of a move; in a file of the data folder, which is replaced as a whole. */
export class ModelsPlace {
  readonly #path: string
  readonly #ownFolder: string
  #value: Place

  /** @param ownFolder where they lie as long as nobody moved them */
  constructor(path: string, ownFolder: string, logger: Logger = silentLogger) {
    this.#path = path
    this.#ownFolder = ownFolder
    this.#value = readPlace(path, logger) ?? { version: 1, folder: ownFolder, move: null, leave: null }
  }

  get value(): Place {
    return this.#value
  }

  /** Where a library looks; a folder that somebody chose is not made where it is missing. */
  get forLibrary(): { readonly folder: string; readonly isOwnFolder: (folder: string) => boolean } {
    return { folder: this.#value.folder, isOwnFolder: (folder) => folder === this.#ownFolder }
  }

  /** Durable when it returns. Throws `Failure` `disk-full` or `write-failed`; the place is then as before. */
  change(part: Partial<Omit<Place, 'version'>>): void {
    const next = { ...this.#value, ...part }
    writeFileAtomic(this.#path, `${JSON.stringify(next, null, 1)}\n`)
    this.#value = next
  }
}

function readPlace(path: string, logger: Logger): Place | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
  try {
    return place.parse(JSON.parse(text))
  } catch (thrown) {
    const aside = `${path}.unreadable-${new Date().toISOString().replaceAll(':', '-')}`
    renameSync(path, aside)
    logger.warn('where the models lie could not be read; the own folder is used', { aside, reason: String(thrown).slice(0, 200) })
    return undefined
  }
}
