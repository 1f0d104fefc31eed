import { type DownloadOptions, defaultConnectTimeoutMs, sourceOf } from './download-options.ts'
import { refusedPieces } from './download-problem.ts'
import { type DonePieces, downloadPieces, PiecesRefused } from './parallel-download.ts'
import { type PartState, removePart, writeState } from './part.ts'
import { coversSize } from './piece-list.ts'
import { unlimited } from './rate-limit.ts'
import { soundPieces } from './sound-pieces.ts'

export const defaultPieceBytes = 32 * 1024 * 1024

/** Whether a file is loaded in pieces. Only a version that can be named keeps its pieces together. */
export function canBeInPieces(options: DownloadOptions, response: Response, { etag, totalBytes }: PartState): boolean {
  const { hashKnown, connections = 4, parallelFromBytes = 256 * 1024 * 1024 } = options
  if (totalBytes === null || !hashKnown || response.headers.get('accept-ranges') !== 'bytes') return false
  if (options.pieces !== undefined) return coversSize(options.pieces, totalBytes)
  return connections > 1 && totalBytes >= parallelFromBytes && etag !== null
}

/** Loads what a part lacks over several connections; each piece that is whole is noted at once. Returns the size. Throws as `downloadPieces`. */
export async function inPieces(
  options: DownloadOptions,
  state: PartState,
  pieces: NonNullable<PartState['pieces']>,
): Promise<number> {
  const { url, headers = {}, partPath, signal, onProgress, connections = 4 } = options
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
    writeState(partPath, { ...state, ...from, pieces: next })
  }
  // Until this source gave something, what is there is still of the one before.
  keep(there, state, pieces.mixed)
  try {
    await downloadPieces({
      url,
      headers,
      source: options.source,
      etag,
      path: partPath,
      totalBytes,
      pieceBytes: pieces.bytes,
      connections,
      signal,
      connectTimeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
      stallTimeoutMs: options.stallTimeoutMs ?? 20_000,
      retryPauseMs: options.retryPauseMs ?? 500,
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
