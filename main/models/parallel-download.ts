import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { writeFailure } from '../base/atomic-file.ts'
import { asError, Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import { strongEtag } from './range-answer.ts'
import type { RateLimit } from './rate-limit.ts'
import { askSource } from './source-request.ts'
import { Watchdog } from './watchdog.ts'
import { failing, writeWhole } from './whole-writes.ts'

export type DonePieces = ReadonlyMap<number, string | undefined>

export interface PiecesOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly source: string
  /**
   * Strong tag of the version that the pieces are of: a server with another version sends the whole, which is refused. Null for a source that was not
   * asked yet: then all its answers have to have the tag of the first.
   */
  readonly etag: string | null
  readonly path: string
  readonly totalBytes: number
  readonly pieceBytes: number
  /** Numbers of the pieces that are there, with the SHA-256 that they had as they came. */
  readonly done: DonePieces
  /** SHA-256 that a piece has to have; undefined where nobody knows. */
  readonly expected: (piece: number) => string | undefined
  readonly connections: number
  readonly signal: AbortSignal
  readonly rate: RateLimit
  readonly connectTimeoutMs: number
  readonly stallTimeoutMs: number
  readonly retryPauseMs: number
  /** A piece is whole and on the disk. */
  readonly onPiece: (done: DonePieces) => void
  readonly onBytes: (receivedBytes: number) => void
}

/** A source that sent another piece than expected so often is not asked again. */
const mostWrongPieces = 2
/** Tries of one piece without a single new byte, after which the download gives up. */
const mostFruitlessTries = 3

/**
 * Loads the missing pieces of a file over several connections. Each piece counts only when it has its full length and lies on the disk. Throws
 * `Error` when a piece cannot be had, `Failure` `wrong-hash`, `source-refused`, `disk-full` or `write-failed`, or the signal's reason.
 */
export async function downloadPieces(options: PiecesOptions): Promise<void> {
  const { totalBytes, pieceBytes, path, connections, signal } = options
  const count = Math.ceil(totalBytes / pieceBytes)
  const missing = Array.from({ length: count }, (_, piece) => piece).filter((piece) => !options.done.has(piece))
  const done = new Map(options.done)
  const file = await openForWriting(path, totalBytes)
  const stop = new AbortController()
  const lengthOf = (piece: number): number => Math.min(pieceBytes, totalBytes - piece * pieceBytes)
  let received = [...done.keys()].reduce((sum, piece) => sum + lengthOf(piece), 0)
  options.onBytes(received)
  const onBytes = (bytes: number): void => {
    received += bytes
    options.onBytes(received)
  }
  const loading: Loading = { options, etag: options.etag, file, signal: AbortSignal.any([signal, stop.signal]), onBytes }
  const take = async (): Promise<void> => {
    for (let piece = missing.shift(); piece !== undefined; piece = missing.shift()) {
      const hash = await rightPiece(loading, piece, lengthOf(piece))
      await failing(path, file.datasync())
      done.set(piece, hash)
      options.onPiece(done)
    }
  }
  try {
    const workers = Array.from({ length: Math.min(connections, missing.length) }, take)
    // The first that fails ends the others, and all are at rest before this returns.
    for (const worker of workers) worker.catch((error: unknown) => stop.abort(error))
    const ends = await Promise.allSettled(workers)
    signal.throwIfAborted()
    if (ends.some(({ status }) => status === 'rejected')) throw asError(stop.signal.reason)
  } finally {
    await file.close()
  }
}

async function openForWriting(path: string, totalBytes: number): Promise<FileHandle> {
  try {
    const file = await open(path, 'r+').catch(() => open(path, 'w+', 0o600))
    await file.truncate(totalBytes)
    return file
  } catch (error) {
    throw writeFailure(path, error)
  }
}

/** One download of the pieces of a file. */
interface Loading {
  readonly options: PiecesOptions
  /** Which all answers have to be of; null before the first one. */
  etag: string | null
  readonly file: FileHandle
  readonly signal: AbortSignal
  readonly onBytes: (bytes: number) => void
}

/** Returns the SHA-256 of the piece. */
async function rightPiece(loading: Loading, piece: number, length: number): Promise<string> {
  const { options, onBytes } = loading
  const expected = options.expected(piece)
  for (let wrong = 0; ; ) {
    const hash = await onePiece(loading, piece, length)
    if (expected === undefined || hash === expected) return hash
    onBytes(-length)
    if (++wrong >= mostWrongPieces)
      throw new Failure('wrong-hash', `${options.source} sent another file than expected: the checksum of a piece is wrong.`)
  }
}

async function onePiece(loading: Loading, piece: number, length: number): Promise<string> {
  const { options, file, signal, onBytes } = loading
  const hash = createHash('sha256')
  const start = piece * options.pieceBytes
  let have = 0
  for (let fruitless = 0; ; ) {
    const before = have
    try {
      for await (const chunk of rangeOf(loading, start + have, start + length - 1)) {
        await options.rate.take(chunk.length, signal)
        await writeWhole(file, options.path, chunk, start + have)
        hash.update(chunk)
        have += chunk.length
        onBytes(chunk.length)
      }
      if (have === length) return hash.digest('hex')
      throw new Error('the connection ended early')
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Failure) throw error
      fruitless = have > before ? 0 : fruitless + 1
      if (fruitless >= mostFruitlessTries) throw error
      await pause(options.retryPauseMs, signal)
    }
  }
}

/** The bytes `from` to `to`, both included, and never one more. */
async function* rangeOf(loading: Loading, from: number, to: number): AsyncGenerator<Uint8Array> {
  const { options, signal } = loading
  const watchdog = new Watchdog()
  watchdog.wind(options.connectTimeoutMs)
  try {
    const response = await askSource(options.url, {
      headers: {
        ...options.headers,
        Range: `bytes=${from}-${to}`,
        ...(loading.etag !== null && { 'If-Range': loading.etag }),
      },
      signal: AbortSignal.any([signal, watchdog.signal]),
      source: options.source,
    })
    // A server in trouble says nothing about the pieces that are there.
    if (![200, 206, 416].includes(response.status)) {
      await response.body?.cancel()
      throw new Error(`answer ${response.status}`)
    }
    const range = response.headers.get('content-range')
    if (response.status !== 206 || range !== `bytes ${from}-${to}/${options.totalBytes}`) {
      await response.body?.cancel()
      const offersWhole = response.status === 200 && response.headers.get('content-length') === String(options.totalBytes)
      throw new PiecesRefused(`answer ${response.status}, range ${range ?? 'none'}`, offersWhole)
    }
    const tag = strongEtag(response)
    loading.etag ??= tag
    if (tag !== null && tag !== loading.etag) {
      await response.body?.cancel()
      throw new PiecesRefused('another version')
    }
    let left = to - from + 1
    for await (const chunk of response.body ?? []) {
      watchdog.wind(options.stallTimeoutMs)
      if (chunk.length > left) throw new PiecesRefused('more bytes than asked')
      left -= chunk.length
      yield chunk
    }
  } finally {
    watchdog.end()
  }
}

/** The server does not give the piece that was asked for: it knows no ranges any more, or has another version of the file. */
export class PiecesRefused extends Error {
  /** It answered with something as long as the whole file. */
  readonly offersWhole: boolean
  constructor(message: string, offersWhole = false) {
    super(message)
    this.name = 'PiecesRefused'
    this.offersWhole = offersWhole
  }
}
