import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)

/** SHA-256 of each piece of a file; the last piece may be shorter. */
export const pieceList = z.strictObject({ bytes: z.number().int().positive(), sha256: z.array(hash).min(1).max(1_000_000) })
export type PieceList = z.infer<typeof pieceList>

const keptList = z.object({ version: z.literal(1), sizeBytes: z.number().int().positive(), pieces: pieceList })

/** True when the list is of a file of this size. */
export function coversSize({ bytes, sha256 }: PieceList, sizeBytes: number): boolean {
  return Math.ceil(sizeBytes / bytes) === sha256.length
}

/** SHA-256 of a file, and of its pieces, in one reading. */
export async function hashInPieces(
  path: string,
  pieceBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly sha256: string; readonly pieces: PieceList }> {
  const whole = createHash('sha256')
  const sha256: string[] = []
  let piece = createHash('sha256')
  let inPiece = 0
  for await (const read of createReadStream(path, { highWaterMark: 1024 * 1024, ...(signal && { signal }) })) {
    const chunk = read as Buffer
    whole.update(chunk)
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceBytes - inPiece)
      piece.update(part)
      at += part.length
      inPiece += part.length
      if (inPiece < pieceBytes) continue
      sha256.push(piece.digest('hex'))
      piece = createHash('sha256')
      inPiece = 0
    }
  }
  if (inPiece > 0) sha256.push(piece.digest('hex'))
  return { sha256: whole.digest('hex'), pieces: { bytes: pieceBytes, sha256 } }
}

/** The list that was learned of the file with this hash. What is kept decides only what is loaded again: the whole is hashed after that. */
export async function keptPieces(folder: string, sha256: string, sizeBytes: number): Promise<PieceList | undefined> {
  try {
    const kept = keptList.parse(JSON.parse(await readFile(listPath(folder, sha256), 'utf8')))
    return kept.sizeBytes === sizeBytes && coversSize(kept.pieces, sizeBytes) ? kept.pieces : undefined
  } catch {
    // Missing or damaged: the file is loaded as a whole.
    return undefined
  }
}

/** Keeps the list of a file whose own hash was found to be the expected one. Throws `Failure` `disk-full` or `write-failed`. */
export function keepPieces(folder: string, sha256: string, sizeBytes: number, pieces: PieceList): void {
  writeFileAtomic(listPath(folder, sha256), JSON.stringify({ version: 1, sizeBytes, pieces }))
}

/** The file with this hash is gone for good. */
export async function forgetPieces(folder: string, sha256: string): Promise<void> {
  await rm(listPath(folder, sha256), { force: true })
}

function listPath(folder: string, sha256: string): string {
  return join(folder, '.pieces', `${sha256}.json`)
}
