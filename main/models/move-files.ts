import { createHash } from 'node:crypto'
import { type FileHandle, link, lstat, open, readdir, readlink, rename, rm, rmdir, stat, symlink, utimes } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { writeFailure } from '../base/atomic-file.ts'
import { checkRoom } from './disk-room.ts'
import { sha256OfFile } from './file-hash.ts'
import { makeFolder } from './make-folder.ts'
import type { LeftFile } from './models-place.ts'
import { movedPath } from './moved-folder.ts'
import { failing, writeWhole } from './whole-writes.ts'

/** What a copy is called until it is whole, on the disk and compared. */
const unfinished = '.moving'
const defaultChunkBytes = 4 * 1024 * 1024
/** File systems of removable disks count time in steps of two seconds. */
const timeStepMs = 2000

export interface CopyOptions {
  readonly from: string
  readonly to: string
  /** Names in `from` that are left out. */
  readonly except: ReadonlySet<string>
  readonly signal: AbortSignal
  readonly onProgress: (progress: { readonly doneBytes: number; readonly totalBytes: number; readonly file: string }) => void
  /** Told before each step that changes something on the disk; for tests that end the process there. */
  readonly onStep?: (() => void) | undefined
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined
  /** False: files are copied on one disk too, as between two; for tests. */
  readonly secondNames?: boolean | undefined
  /** Default 4 MiB. */
  readonly chunkBytes?: number | undefined
}

interface Found extends LeftFile {
  /** Of a link: what it leads to, as an absolute path. */
  readonly target?: string
  /** Tells names of the same file. */
  readonly inode: string
}

/**
 * Makes `to` hold what `from` holds, byte by byte, and leaves `from` alone. On the same disk a file gets a second name in place of a copy, where the
 * disk knows such. What an earlier try copied is kept: of an unfinished file everything that is equal. A file gets its name only after what was
 * written was read back and its hash is that of the original.
 * Throws `Failure` `disk-full` or `write-failed`, the signal's reason, or what reading throws. Returns the files as they were in `from`.
 */
export async function copyFiles(options: CopyOptions): Promise<readonly LeftFile[]> {
  const { from, to, signal } = options
  const files = (await listFiles(from)).filter(({ name }) => !options.except.has(name))
  const firstNames = new Map<string, string>()
  const sizes = new Map(files.map(({ inode, size }) => [inode, size]))
  const totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  const sameDisk = options.secondNames !== false && (await areOnOneDisk(from, to))
  if (!sameDisk) await checkRoomFor(from, to, options.freeBytes)
  let doneBytes = 0
  for (const file of files) {
    signal.throwIfAborted()
    const [source, target] = [join(from, file.name), join(to, file.name)]
    const before = firstNames.get(file.inode)
    const onBytes = (bytes: number): void => options.onProgress({ doneBytes: doneBytes + bytes, totalBytes, file: file.name })
    onBytes(0)
    if (!(await isThere(target, file, from, to))) {
      await failing(target, makeFolder(dirname(target)))
      options.onStep?.()
      if (file.target !== undefined) await failing(target, relink(movedPath(file.target, from, to), target))
      else if (before !== undefined && (await second(join(to, before), target))) onBytes(0)
      else if (!sameDisk || !(await second(source, target))) await copyFile(source, target, file, options, onBytes)
    }
    if (before === undefined) {
      firstNames.set(file.inode, file.name)
      doneBytes += file.size
    }
    onBytes(0)
  }
  options.onStep?.()
  await syncFolders(to, files)
  return files.map(({ name, size, mtimeMs }) => ({ name, size, mtimeMs }))
}

/** Throws `disk-full` when the files of `from` do not fit on the disk of `to`, beside those that are there already. */
export async function checkRoomFor(from: string, to: string, freeBytes: CopyOptions['freeBytes']): Promise<void> {
  if (freeBytes === undefined && (await areOnOneDisk(from, to))) return
  const needed = (await bytesIn(from)) - (await bytesIn(to))
  await checkRoom(to, needed, freeBytes)
}

async function areOnOneDisk(a: string, b: string): Promise<boolean> {
  return (await stat(a)).dev === (await stat(b)).dev
}

/**
 * Removes files that have a copy in `kept`, and the folders that are empty then. One that is no longer as it is listed stays: it is another one. Returns those that could not be
 * removed, e.g. because a program has them open under Windows.
 */
export async function removeFiles(
  folder: string,
  files: readonly LeftFile[],
  kept: string,
  onStep?: () => void,
): Promise<LeftFile[]> {
  const stayed: LeftFile[] = []
  for (const file of files) {
    const path = join(folder, file.name)
    onStep?.()
    try {
      const found = await lstat(path)
      if (found.size !== file.size || found.mtimeMs !== file.mtimeMs) continue
      if ((await lstat(join(kept, file.name)).catch(() => undefined)) === undefined) {
        stayed.push(file)
        continue
      }
      await rm(path)
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') stayed.push(file)
    }
  }
  const folders = new Set(files.map(({ name }) => dirname(name)).filter((name) => name !== '.'))
  for (const name of [...folders].sort((a, b) => b.length - a.length)) await removeIfEmpty(join(folder, name))
  return stayed
}

/** Takes back what `copyFiles` made of these files in `to`, whole or not. The file `last` goes when all others are gone. */
export async function removeCopies(
  from: string,
  to: string,
  { also, last }: { readonly also: string; readonly last: string },
  onStep?: () => void,
): Promise<void> {
  const files = await listFiles(from)
  for (const name of [...files.map((file) => file.name), also]) {
    for (const path of [join(to, name), join(to, `${name}${unfinished}`)]) {
      onStep?.()
      await rm(path, { force: true })
    }
  }
  for (const name of new Set(files.map((file) => dirname(file.name)))) if (name !== '.') await removeIfEmpty(join(to, name))
  onStep?.()
  await rm(join(to, last), { force: true })
  await removeIfEmpty(to)
}

/** True for a folder that is not there, or has nothing in it. */
export async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw thrown
  }
}

/** True when one of the folders lies in the other, or they are the same. */
export function areNested(a: string, b: string): boolean {
  const isIn = (inner: string, outer: string): boolean => {
    const way = relative(outer, inner)
    return way === '' || !(way === '..' || way.startsWith('../') || way.startsWith('..\\') || isAbsolute(way))
  }
  return isIn(resolve(a), resolve(b)) || isIn(resolve(b), resolve(a))
}

async function listFiles(folder: string): Promise<Found[]> {
  const files: Found[] = []
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const { size, mtimeMs, dev, ino } = await lstat(path)
    const target = entry.isSymbolicLink() ? resolve(dirname(path), await readlink(path)) : undefined
    const common = { name: relative(folder, path), size, mtimeMs, inode: `${dev} ${ino}` }
    files.push(target === undefined ? common : { ...common, target })
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function bytesIn(folder: string): Promise<number> {
  const sizes = new Map((await listFiles(folder)).map(({ inode, size }) => [inode, size]))
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

/** A whole copy has the time of its original; a half one has another name. */
async function isThere(target: string, { size, mtimeMs, target: leadsTo }: Found, from: string, to: string): Promise<boolean> {
  const found = await lstat(target).catch(() => undefined)
  if (found === undefined) return false
  if (leadsTo !== undefined) return found.isSymbolicLink() && (await readlink(target)) === movedPath(leadsTo, from, to)
  return found.isFile() && found.size === size && Math.abs(found.mtimeMs - mtimeMs) <= timeStepMs
}

async function relink(leadsTo: string, target: string): Promise<void> {
  await rm(target, { force: true })
  await symlink(leadsTo, target)
}

/** False where the disk knows no second names. */
async function second(source: string, target: string): Promise<boolean> {
  try {
    await rm(target, { force: true })
    await link(source, target)
    return true
  } catch {
    return false
  }
}

async function copyFile(
  source: string,
  target: string,
  listed: Found,
  { signal, onStep, chunkBytes = defaultChunkBytes }: CopyOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const part = `${target}${unfinished}`
  const hash = createHash('sha256')
  const input = await open(source, 'r')
  try {
    const output = await openPart(part)
    try {
      const had = (await output.stat()).size
      const [bytes, there] = [new Uint8Array(chunkBytes), new Uint8Array(chunkBytes)]
      let at = 0
      for (;;) {
        signal.throwIfAborted()
        const length = await readFully(input, bytes, at)
        if (length === 0) break
        const chunk = bytes.subarray(0, length)
        hash.update(chunk)
        const isEqual =
          at + length <= had &&
          (await readFully(output, there.subarray(0, length), at)) === length &&
          Buffer.compare(chunk, there.subarray(0, length)) === 0
        if (!isEqual) {
          onStep?.()
          await writeWhole(output, part, chunk, at)
        }
        at += length
        onBytes(at)
      }
      await failing(part, output.truncate(at))
      await failing(part, output.sync())
    } finally {
      await output.close()
    }
  } finally {
    await input.close()
  }
  const { size, mtimeMs } = await stat(source)
  if (size !== listed.size || mtimeMs !== listed.mtimeMs) throw new Error(`${source} changed while it was copied`)
  const wanted = hash.digest('hex')
  onStep?.()
  if ((await sha256OfFile(part, signal)) !== wanted) {
    await rm(part, { force: true })
    throw writeFailure(target, new Error('what was written reads back as something else'))
  }
  await failing(part, utimes(part, mtimeMs / 1000, mtimeMs / 1000))
  onStep?.()
  await failing(target, rename(part, target))
}

async function openPart(part: string): Promise<FileHandle> {
  try {
    return await open(part, 'r+').catch(() => open(part, 'w+', 0o600))
  } catch (thrown) {
    throw writeFailure(part, thrown)
  }
}

async function readFully(file: FileHandle, into: Uint8Array, at: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, at + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

/** The names are on the disk too before the originals go. Windows cannot open folders and does not need it. */
async function syncFolders(to: string, files: readonly Found[]): Promise<void> {
  if (process.platform === 'win32') return
  for (const name of new Set(files.map((file) => dirname(file.name)).concat('.'))) {
    const handle = await open(join(to, name), 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined)
}
