import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { writeFailure, writeFileAtomic } from '../base/atomic-file.ts'
import { asError, Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import { cancelled, diskFull, refusedPieces, unreachable } from './download-problem.ts'
import { type DonePieces, downloadPieces, PiecesRefused, strongEtag } from './parallel-download.ts'
import { coversSize, hashOfRange, type PieceList } from './piece-list.ts'
import { RateLimit } from './rate-limit.ts'
import { askSource, unusable } from './source-request.ts'
import { failing, writeWhole } from './whole-writes.ts'

export interface DownloadProgress {
  readonly receivedBytes: number
  readonly totalBytes: number | null
}

export interface DownloadOptions {
  readonly url: string
  /** Sent with each request, e.g. `Authorization`; never stored or logged. */
  readonly headers?: Readonly<Record<string, string>>
  /** What a part belongs to. Default: the URL. Give it where URLs change or hold secrets: it is written beside the part. */
  readonly partKey?: string
  /** Whether the URL tells sources of the same part apart and may be written beside it. Default: only without a `partKey`. */
  readonly urlIsStable?: boolean
  /** What the source is called in messages. */
  readonly source: string
  /**
   * Where the bytes are collected; the file stays there, complete, when the download succeeds. Beside it lies its state, `<part>.json`:
   * with it, a file that was not yet verified when the process ended need not be loaded again. `removePart` removes both.
   */
  readonly partPath: string
  readonly sizeBytes: number | null
  /** A file of more is refused where its size is not known. */
  readonly mostBytes?: number
  /** True when the caller compares the hash of the whole with a known one. Only then is a part kept and continued. */
  readonly hashKnown: boolean
  readonly signal: AbortSignal
  readonly onProgress: (progress: DownloadProgress) => void
  /** Longest wait for the first answer of the server. Default 3 s. */
  readonly connectTimeoutMs?: number
  /** Longest silence in the middle. Default 20 s. */
  readonly stallTimeoutMs?: number
  /** Pause before going on after a broken connection. Default 500 ms. */
  readonly retryPauseMs?: number
  /** Connections at the same time, for files large enough. Default 4; 1 for one after the other. */
  readonly connections?: number
  /** Files from this size on are loaded in pieces. Default 256 MiB. */
  readonly parallelFromBytes?: number
  /** Default 32 MiB. */
  readonly pieceBytes?: number
  /** What each piece has to be. Then it is checked as it comes, and what is there before it counts. */
  readonly pieces?: PieceList | undefined
  /** Shared by all connections; absent for no limit. */
  readonly rate?: RateLimit
  /** Free bytes on the disk of a folder; for tests. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

/** Room that must stay free on the disk. */
const sparedBytes = 64 * 1024 * 1024
export const defaultPieceBytes = 32 * 1024 * 1024
const unlimited = new RateLimit(() => null)
/** Broken connections in a row without a single new byte, after which the source counts as unreachable. */
const mostFruitlessTries = 3

const partState = z.object({
  key: z.string(),
  /** Whose tag it is; absent for the one of the key. */
  url: z.string().optional(),
  etag: z.string().nullable(),
  totalBytes: z.number().int().positive().nullable(),
  /**
   * Of a file that is loaded in pieces: which are there, and the SHA-256 that each had as it came. The part then has its full length from the
   * beginning.
   */
  pieces: z
    .object({
      bytes: z.number().int().positive(),
      done: z.array(z.number().int().nonnegative()),
      hashes: z.record(z.string(), z.string()).optional(),
      /** Others than `url` gave some of them too. */
      mixed: z.boolean().optional(),
    })
    .optional(),
})
type PartState = z.infer<typeof partState>

/**
 * Downloads a file over HTTP and goes on where an earlier try stopped, in this run or one before. Servers without ranges, or with
 * another version of the file, are read from the beginning again, and so is a file whose hash nobody knows: no one could tell
 * afterwards whether its pieces belong together. The contents are not judged here: verify the hash before use.
 * Throws a `DownloadProblem`. Returns the size in bytes.
 */
export async function downloadHttp(options: DownloadOptions): Promise<number> {
  const statePath = `${options.partPath}.json`
  await mkdir(dirname(options.partPath), { recursive: true, mode: 0o700 })
  let fruitless = 0
  let mostBytes = 0
  try {
    for (;;) {
      if (options.signal.aborted) throw cancelled(options.hashKnown)
      const known = options.hashKnown ? await readState(statePath, options.partKey ?? options.url) : undefined
      if (known === undefined) await rm(options.partPath, { force: true })
      const before = await partSize(options.partPath, known)
      try {
        const size = await attempt(options, statePath, known, await fileSize(options.partPath))
        if (!options.hashKnown) await rm(statePath, { force: true })
        return size
      } catch (error) {
        if (options.signal.aborted) throw cancelled(options.hashKnown)
        if (error instanceof Failure) throw error
        // Measured against the best try, not the last one: a server without ranges could make that go up and down for ever.
        mostBytes = Math.max(mostBytes, before)
        const after = await partSize(options.partPath, await readState(statePath, options.partKey ?? options.url))
        fruitless = after > mostBytes ? 0 : fruitless + 1
        mostBytes = Math.max(mostBytes, after)
        if (fruitless >= mostFruitlessTries) throw unreachable(options.source, error)
        await pause(options.retryPauseMs ?? 500, options.signal)
      }
    }
  } catch (error) {
    if (!options.hashKnown) await removePart(options.partPath)
    throw error
  }
}

/** Removes a part and its state. */
export async function removePart(partPath: string): Promise<void> {
  for (const end of ['', '.json']) await rm(`${partPath}${end}`, { force: true })
}

async function attempt(options: DownloadOptions, statePath: string, known: PartState | undefined, have: number): Promise<number> {
  const { url, source, partPath, sizeBytes, signal, onProgress, mostBytes = Number.MAX_SAFE_INTEGER } = options
  if (known?.pieces !== undefined && have === known.totalBytes) return inPieces(options, statePath, known, known.pieces)
  const sameSource = known?.url === undefined || known.url === sourceOf(options)
  const goingOn = known !== undefined && have > 0 && known.pieces === undefined
  if (goingOn && have === (known.totalBytes ?? sizeBytes)) return have
  const connection = new AbortController()
  const timer = new Watchdog(() => connection.abort(new Error('no answer in time')))
  timer.wind(options.connectTimeoutMs ?? 3000)
  try {
    const headers: Record<string, string> = { ...options.headers }
    if (goingOn) {
      headers.Range = `bytes=${have}-`
      if (known.etag !== null && sameSource) headers['If-Range'] = known.etag
    }
    let response: Response
    try {
      response = await askSource(url, { headers, source, signal: AbortSignal.any([signal, connection.signal]) })
    } catch (error) {
      if (error instanceof Failure) throw error
      // Nobody there: no use in trying again now.
      if (!goingOn && !signal.aborted) throw unreachable(source, error)
      throw error
    }
    if (response.status === 416) {
      await response.body?.cancel()
      await rm(partPath, { force: true })
      throw new Error('the part no longer fits')
    }
    if (response.status !== 200 && response.status !== 206) {
      await response.body?.cancel()
      throw new Failure('source-refused', `${source} answered with error ${response.status}.`, {
        retryable: response.status >= 500,
        values: { source },
      })
    }
    const from = startOf(response)
    if (from !== 0 && from !== have) {
      await response.body?.cancel()
      throw unusable(source, 'it sends another part of the file than asked for')
    }
    const total = totalOf(response, from)
    if (sizeBytes !== null && total !== null && total !== sizeBytes)
      throw new Failure('wrong-size', `${source} offers a file of ${total} bytes instead of ${sizeBytes}.`)
    if (sizeBytes === null && total !== null && total > mostBytes)
      throw new Failure('wrong-size', `${source} offers a file of ${total} bytes, which is too much for this model.`)
    const expected = total ?? sizeBytes
    await checkRoom(options, (expected ?? 0) - from)
    // Before the new state is written: the old bytes must never lie beside the tag of another version.
    if (from === 0) await rm(partPath, { force: true })
    const state: PartState = {
      ...{ key: options.partKey ?? url, url: sourceOf(options), etag: strongEtag(response), totalBytes: expected },
    }
    if (from === 0 && canBeInPieces(options, response, state)) {
      await response.body?.cancel()
      timer.stop()
      const bytes = options.pieces?.bytes ?? options.pieceBytes ?? defaultPieceBytes
      return await inPieces(options, statePath, state, { bytes, done: [] })
    }
    writeFileAtomic(statePath, JSON.stringify(state))
    timer.wind(options.stallTimeoutMs ?? 20_000)
    const received = await receive(options, response, from, expected ?? mostBytes, (bytes) => {
      timer.wind(options.stallTimeoutMs ?? 20_000)
      onProgress({ receivedBytes: bytes, totalBytes: expected })
    })
    if (expected !== null && received < expected) throw new Error('the connection ended early')
    return received
  } finally {
    timer.stop()
    connection.abort()
  }
}

/** Only a version that can be named keeps its pieces together. */
function canBeInPieces(options: DownloadOptions, response: Response, { etag, totalBytes }: PartState): boolean {
  const { hashKnown, connections = 4, parallelFromBytes = 256 * 1024 * 1024 } = options
  if (totalBytes === null || !hashKnown || response.headers.get('accept-ranges') !== 'bytes') return false
  if (options.pieces !== undefined) return coversSize(options.pieces, totalBytes)
  return connections > 1 && totalBytes >= parallelFromBytes && etag !== null
}

async function inPieces(
  options: DownloadOptions,
  statePath: string,
  state: PartState,
  pieces: NonNullable<PartState['pieces']>,
): Promise<number> {
  const { url, headers = {}, partPath, signal, onProgress, connections = 4, connectTimeoutMs = 3000 } = options
  const { totalBytes } = state
  if (totalBytes === null) throw new Error('pieces of nobody knows how much')
  const source = sourceOf(options)
  const list = options.pieces?.bytes === pieces.bytes && coversSize(options.pieces, totalBytes) ? options.pieces.sha256 : []
  const isSameSource = state.url === undefined || state.url === source
  // Where a list says which pieces belong together, a tag that changed is no reason against them.
  const etag = isSameSource && list.length === 0 ? state.etag : null
  const there = await soundPieces(partPath, totalBytes, pieces, list, signal)
  const mixed = there.size > 0 && (!isSameSource || pieces.mixed === true)
  let held = there
  const keep = (done: DonePieces, from: Pick<PartState, 'url' | 'etag'>, mixed: boolean | undefined): void => {
    held = done
    const hashes = Object.fromEntries([...done].flatMap(([piece, hash]) => (hash === undefined ? [] : [[piece, hash]])))
    const next = { bytes: pieces.bytes, done: [...done.keys()], hashes, ...(mixed && { mixed }) }
    writeFileAtomic(statePath, JSON.stringify({ ...state, ...from, pieces: next } satisfies PartState))
  }
  // Until this source gave something, what is there is still of the one before.
  keep(there, state, pieces.mixed)
  try {
    await downloadPieces({
      ...{
        url,
        headers,
        source: options.source,
        etag,
        path: partPath,
        totalBytes,
        pieceBytes: pieces.bytes,
        connections,
        signal,
      },
      ...{ connectTimeoutMs, stallTimeoutMs: options.stallTimeoutMs ?? 20_000, retryPauseMs: options.retryPauseMs ?? 500 },
      rate: options.rate ?? unlimited,
      done: there,
      expected: (piece) => list[piece],
      onPiece: (done) => keep(done, { url: source, etag }, mixed),
      onBytes: (receivedBytes) => onProgress({ receivedBytes, totalBytes }),
    })
  } catch (error) {
    if (!(error instanceof PiecesRefused) || signal.aborted) throw error
    // What others gave, or what is known to be right, is none of its business.
    if (mixed || (list.length > 0 && held.size > 0)) throw refusedPieces(options.source, error)
    // Another version, or no ranges any more: what is there belongs to nothing. The next try begins anew.
    await removePart(partPath)
    throw error
  }
  return totalBytes
}

/** Of the pieces that are said to be there, those that are on the disk as they came, or as they have to be. */
async function soundPieces(
  path: string,
  totalBytes: number,
  { bytes, done, hashes = {} }: NonNullable<PartState['pieces']>,
  list: readonly string[],
  signal: AbortSignal,
): Promise<DonePieces> {
  const sound = new Map<number, string | undefined>()
  if (done.length === 0) return sound
  const file = await open(path, 'r')
  try {
    for (const piece of done) {
      const wanted = list[piece] ?? hashes[piece]
      const start = piece * bytes
      if (start >= totalBytes) continue
      if (wanted === undefined || (await hashOfRange(file, start, Math.min(bytes, totalBytes - start), signal)) === wanted)
        sound.set(piece, wanted)
    }
    return sound
  } finally {
    await file.close()
  }
}

/**
 * Takes a whole file that is damaged as an unfinished download of itself: the pieces that are as they have to be need not come again. False, and the
 * file stays where it is, when no piece is of use, it has other names, or it cannot be moved.
 */
export async function takeAsPart(
  path: string,
  { partPath, partKey, pieces }: { partPath: string; partKey: string; pieces: PieceList },
  signal: AbortSignal,
): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  // Pieces are written in place: through a link, or under a second name, that would change a file of the user.
  if (!found?.isFile() || found.nlink > 1) return false
  const totalBytes = found.size
  if (totalBytes === 0 || !coversSize(pieces, totalBytes)) return false
  const all = { bytes: pieces.bytes, done: pieces.sha256.map((_, piece) => piece) }
  const done = [...(await soundPieces(path, totalBytes, all, pieces.sha256, signal)).keys()]
  if (done.length === 0) return false
  const state: PartState = { key: partKey, url: '', etag: null, totalBytes, pieces: { bytes: pieces.bytes, done } }
  writeFileAtomic(`${partPath}.json`, JSON.stringify(state))
  try {
    await rename(path, partPath)
    return true
  } catch {
    // Open in another program under Windows.
    await removePart(partPath)
    return false
  }
}

/** What a tag belongs to. Where addresses change or hold secrets it is what the part belongs to. */
function sourceOf({ url, partKey, urlIsStable = partKey === undefined }: DownloadOptions): string {
  return urlIsStable ? url : (partKey ?? url)
}

async function receive(
  { partPath: path, source, signal, rate = unlimited }: DownloadOptions,
  response: Response,
  from: number,
  most: number,
  onBytes: (received: number) => void,
): Promise<number> {
  let file: FileHandle
  try {
    file = await open(path, from === 0 ? 'w' : 'r+', 0o600)
  } catch (error) {
    throw writeFailure(path, error)
  }
  let at = from
  try {
    onBytes(at)
    for await (const chunk of response.body ?? []) {
      if (at + chunk.length > most) {
        // What another source gave before stays.
        await failing(path, file.truncate(from))
        throw new Failure('wrong-size', `${source} sends more than the ${most} bytes that the file can have.`)
      }
      await rate.take(chunk.length, signal)
      await writeWhole(file, path, chunk, at)
      at += chunk.length
      onBytes(at)
    }
    await failing(path, file.truncate(at))
    await failing(path, file.sync())
    return at
  } finally {
    await file.close()
  }
}

/** SHA-256 of a file in hex, read piece by piece. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, ...(signal && { signal }) }))
    hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Throws `disk-full` when the folder of the part has no room for `neededBytes` more. */
export async function checkRoom(
  options: { partPath: string; freeBytes?: (folder: string) => Promise<number> },
  neededBytes: number,
): Promise<void> {
  const free = await (options.freeBytes ?? freeBytesOf)(dirname(options.partPath))
  if (free < neededBytes + sparedBytes) throw diskFull(neededBytes + sparedBytes)
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}

/** What of a part is really there: a part in pieces has its full length from the beginning. */
async function partSize(path: string, state: PartState | undefined): Promise<number> {
  const size = await fileSize(path)
  return state?.pieces === undefined ? size : Math.min(size, state.pieces.done.length * state.pieces.bytes)
}

/** Bytes of an unfinished download that a later one can go on with; 0 where there is nothing of use. */
export async function keptBytes(partPath: string): Promise<number> {
  const text = await readFile(`${partPath}.json`, 'utf8').catch(() => undefined)
  if (text === undefined) return 0
  try {
    return await partSize(partPath, partState.parse(JSON.parse(text)))
  } catch (error) {
    void asError(error)
    return 0
  }
}

async function readState(path: string, key: string): Promise<PartState | undefined> {
  try {
    const state = partState.parse(JSON.parse(await readFile(path, 'utf8')))
    return state.key === key ? state : undefined
  } catch (error) {
    // Missing or damaged: the part is worthless without it.
    void asError(error)
    return undefined
  }
}

function startOf(response: Response): number {
  if (response.status === 200) return 0
  return Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN)
}

function totalOf(response: Response, from: number): number | null {
  const whole = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
  if (whole !== undefined) return Number(whole)
  const length = response.headers.get('content-length')
  return length === null || !/^\d+$/.test(length) ? null : from + Number(length)
}

class Watchdog {
  readonly #bite: () => void
  #timer: NodeJS.Timeout | undefined
  constructor(bite: () => void) {
    this.#bite = bite
  }
  wind(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#bite, ms)
  }
  stop(): void {
    clearTimeout(this.#timer)
  }
}
