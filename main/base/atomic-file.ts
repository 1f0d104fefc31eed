import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { asError, Failure } from './failure.ts'

/**
 * Writes a whole file so that after a crash either the old or the new contents are there, never a mixture:
 * a temporary file beside it, fsync, rename, fsync of the folder. The folder is made if it is missing.
 * @param options.mode permission bits of the new file, 0600 by default: everything in the data folder is the user's own.
 * @throws Failure `disk-full` or `write-failed`; the old file is untouched then.
 */
export function writeFileAtomic(path: string, contents: Uint8Array | string, options: { mode?: number } = {}): void {
  const bytes = typeof contents === 'string' ? new TextEncoder().encode(contents) : contents
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  let made = false
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const file = openSync(temporary, 'wx', options.mode ?? 0o600)
    made = true
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
    syncFolder(folder)
  } catch (thrown) {
    if (made) rmSync(temporary, { force: true })
    throw writeFailure(path, thrown)
  }
}

/** Makes a rename or creation inside `folder` durable. Windows cannot open folders and does not need it. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** What a failed write means to the user. */
export function writeFailure(path: string, thrown: unknown): Failure<'disk-full' | 'write-failed'> {
  const cause = asError(thrown) as NodeJS.ErrnoException
  if (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')
    return new Failure('disk-full', `The disk is full: ${path} could not be written.`, {
      advice: 'Free some space and try again. What was stored before is unchanged.',
      retryable: true,
      cause,
    })
  return new Failure('write-failed', `${path} could not be written (${cause.code ?? cause.message}).`, {
    advice: 'Check that the data folder exists and belongs to you.',
    retryable: true,
    cause,
  })
}
