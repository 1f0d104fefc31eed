import { constants } from 'node:fs'
import { copyFile, link, rename, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { CatalogEntry } from './catalog.ts'
import { checkRoom } from './download.ts'
import type { FileRecord } from './library-records.ts'
import type { Obtained } from './obtain.ts'

export interface TakeOwnOptions {
  readonly entry: CatalogEntry
  /** Where the model of the catalog belongs. */
  readonly path: string
  readonly files: Readonly<Record<string, FileRecord>>
  /** Hashes under which a file is this model. */
  readonly hashes: ReadonlySet<string>
  readonly logger: Logger
  readonly freeBytes?: (folder: string) => Promise<number>
}

/**
 * An own file that was found to be this model is taken in place of a download: under a second name of the same file where the disk can do that.
 * Undefined when there is none, or it could not be taken.
 */
export async function takeOwn({ entry, path, files, hashes, logger, freeBytes }: TakeOwnOptions): Promise<Obtained | undefined> {
  const same = Object.values(files).find(({ origin, sha256 }) => origin === 'own' && sha256 && hashes.has(sha256))
  if (!same?.sha256) return undefined
  const found = await stat(same.path).catch(() => undefined)
  if (found?.size !== same.sizeBytes || found.mtimeMs !== same.mtimeMs) return undefined
  const besides = `${path}.copy`
  try {
    await rm(besides, { force: true })
    await link(same.path, besides)
      .catch(() => copyFile(same.path, besides, constants.COPYFILE_FICLONE_FORCE))
      .catch(async () => {
        await checkRoom({ partPath: besides, ...(freeBytes && { freeBytes }) }, same.sizeBytes)
        await copyFile(same.path, besides)
      })
    await rename(besides, path)
  } catch (error) {
    await rm(besides, { force: true })
    logger.warn('an own file could not be taken for a model', { model: entry.id, reason: asError(error).message })
    return undefined
  }
  return { path, sha256: same.sha256, sizeBytes: same.sizeBytes, source: basename(same.path), learned: undefined }
}
