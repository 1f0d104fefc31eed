import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFailure } from '../base/atomic-file.ts'
import { Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import { checkRoom } from './disk-room.ts'
import { type DownloadOptions, defaultConnectTimeoutMs, sourceOf } from './download-options.ts'
import { cancelled, unreachable } from './download-problem.ts'
import { fileSize, forgetState, type PartState, partSize, readState, removePart, writeState } from './part.ts'
import { canBeInPieces, defaultPieceBytes, inPieces } from './part-in-pieces.ts'
import { startOf, strongEtag, totalOf } from './range-answer.ts'
import { unlimited } from './rate-limit.ts'
import { askSource, unusable } from './source-request.ts'
import { Watchdog } from './watchdog.ts'
import { failing, writeWhole } from './whole-writes.ts'

/** Broken connections in a row without a single new byte, after which the source counts as unreachable. */
const mostFruitlessTries = 3

/**
 * Downloads a file over HTTP and goes on where an earlier try stopped, in this run or one before. Servers without ranges, or with
 * another version of the file, are read from the beginning again, and so is a file whose hash nobody knows: no one could tell
 * afterwards whether its pieces belong together. The contents are not judged here: verify the hash before use.
 * Throws a `DownloadProblem`. Returns the size in bytes.
 */
export async function downloadHttp(options: DownloadOptions): Promise<number> {
  await mkdir(dirname(options.partPath), { recursive: true, mode: 0o700 })
  let fruitless = 0
  let mostBytes = 0
  try {
    for (;;) {
      if (options.signal.aborted) throw cancelled(options.hashKnown)
      const known = options.hashKnown ? await readState(options.partPath, options.partKey ?? options.url) : undefined
      if (known === undefined) await rm(options.partPath, { force: true })
      const before = await partSize(options.partPath, known)
      try {
        const size = await attempt(options, known, await fileSize(options.partPath))
        if (!options.hashKnown) await forgetState(options.partPath)
        return size
      } catch (error) {
        if (options.signal.aborted) throw cancelled(options.hashKnown)
        if (error instanceof Failure) throw error
        // Measured against the best try, not the last one: a server without ranges could make that go up and down for ever.
        mostBytes = Math.max(mostBytes, before)
        const after = await partSize(options.partPath, await readState(options.partPath, options.partKey ?? options.url))
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

async function attempt(options: DownloadOptions, known: PartState | undefined, have: number): Promise<number> {
  const { url, source, partPath, sizeBytes, signal, onProgress, mostBytes = Number.MAX_SAFE_INTEGER } = options
  if (known?.pieces !== undefined && have === known.totalBytes) return inPieces(options, known, known.pieces)
  const sameSource = known?.url === undefined || known.url === sourceOf(options)
  const goingOn = known !== undefined && have > 0 && known.pieces === undefined
  if (goingOn && have === (known.totalBytes ?? sizeBytes)) return have
  const watchdog = new Watchdog()
  watchdog.wind(options.connectTimeoutMs ?? defaultConnectTimeoutMs)
  try {
    const headers: Record<string, string> = { ...options.headers }
    if (goingOn) {
      headers.Range = `bytes=${have}-`
      if (known.etag !== null && sameSource) headers['If-Range'] = known.etag
    }
    let response: Response
    try {
      response = await askSource(url, { headers, source, signal: AbortSignal.any([signal, watchdog.signal]) })
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
    await checkRoom(dirname(partPath), (expected ?? 0) - from, options.freeBytes)
    // Before the new state is written: the old bytes must never lie beside the tag of another version.
    if (from === 0) await rm(partPath, { force: true })
    const state: PartState = {
      ...{ key: options.partKey ?? url, url: sourceOf(options), etag: strongEtag(response), totalBytes: expected },
    }
    if (from === 0 && canBeInPieces(options, response, state)) {
      await response.body?.cancel()
      watchdog.end()
      const bytes = options.pieces?.bytes ?? options.pieceBytes ?? defaultPieceBytes
      return await inPieces(options, state, { bytes, done: [] })
    }
    writeState(partPath, state)
    watchdog.wind(options.stallTimeoutMs ?? 20_000)
    const received = await receive(options, response, from, expected ?? mostBytes, (bytes) => {
      watchdog.wind(options.stallTimeoutMs ?? 20_000)
      onProgress({ receivedBytes: bytes, totalBytes: expected })
    })
    if (expected !== null && received < expected) throw new Error('the connection ended early')
    return received
  } finally {
    watchdog.end()
  }
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
