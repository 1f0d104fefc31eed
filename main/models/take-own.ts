import { constants } from 'node:fs'
import { copyFile, link, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { CatalogEntry } from './catalog.ts'
import { checkRoom } from './disk-room.ts'
import { cancelled } from './download-problem.ts'
import { sha256OfFile } from './file-hash.ts'
import type { FileRecord } from './library-records.ts'
import type { Obtained } from './obtain.ts'

export interface TakeOwnOptions {
  readonly entry: CatalogEntry
  /** Where the model of the catalog belongs. */
  readonly path: string
  /** By id. A hash that was not known is kept there. */
  readonly files: Readonly<Record<string, FileRecord>>
  /** Hashes under which a file is this model. */
  readonly hashes: ReadonlySet<string>
  /** Whether a file whose hash is not known is worth reading. */
  readonly mayBe: (id: string, sizeBytes: number) => boolean
  /** Told before a file is read. */
  readonly onHashing: () => void
  readonly signal: AbortSignal
  readonly logger: Logger
  readonly freeBytes?: (folder: string) => Promise<number>
}

/**
 * An own file that is this model is taken in place of a download: under a second name of the same file where the disk can do that.
 * Undefined when there is none, or it could not be taken. Throws `Failure` `cancelled`.
 */
export async function takeOwn(options: TakeOwnOptions): Promise<Obtained | undefined> {
  const { entry, path, logger, freeBytes } = options
  const same = await findSame(options)
  if (!same?.sha256) return undefined
  const besides = `${path}.copy`
  try {
    await rm(besides, { force: true })
    await link(same.path, besides)
      .catch(() => copyFile(same.path, besides, constants.COPYFILE_FICLONE_FORCE))
      .catch(async () => {
        await checkRoom(dirname(path), same.sizeBytes, freeBytes)
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

async function findSame({ files, hashes, mayBe, onHashing, signal, logger }: TakeOwnOptions): Promise<FileRecord | undefined> {
  for (const [id, record] of Object.entries(files)) {
    if (record.origin !== 'own' || hashes.size === 0) continue
    const found = await stat(record.path).catch(() => undefined)
    if (!found?.isFile()) continue
    if (found.size === record.sizeBytes && found.mtimeMs === record.mtimeMs && record.sha256 !== null) {
      if (hashes.has(record.sha256)) return record
      continue
    }
    if (!mayBe(id, found.size)) continue
    onHashing()
    try {
      const sha256 = await sha256OfFile(record.path, signal)
      Object.assign(record, { sha256, sizeBytes: found.size, mtimeMs: found.mtimeMs })
      if (hashes.has(sha256)) return record
    } catch (error) {
      if (signal.aborted) throw cancelled()
      logger.warn('an own file could not be read', { reason: asError(error).message })
    }
  }
  return undefined
}
