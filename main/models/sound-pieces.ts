import { lstat, open, rename } from 'node:fs/promises'
import { hashOfRange } from './file-hash.ts'
import type { DonePieces } from './parallel-download.ts'
import { type PartState, removePart, writeState } from './part.ts'
import { coversSize, type PieceList } from './piece-list.ts'

/** Of the pieces that are said to be there, those that are on the disk as they came, or as they have to be. */
export async function soundPieces(
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
  writeState(partPath, state)
  try {
    await rename(path, partPath)
    return true
  } catch {
    // Open in another program under Windows.
    await removePart(partPath)
    return false
  }
}
