import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/** SHA-256 of a file in hex, read piece by piece. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, ...(signal && { signal }) }))
    hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** SHA-256 of a part of an open file, in hex. */
export async function hashOfRange(file: FileHandle, start: number, length: number, signal: AbortSignal): Promise<string> {
  const digest = createHash('sha256')
  const buffer = new Uint8Array(Math.min(length, 1024 * 1024))
  for (let done = 0; done < length; ) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - done), start + done)
    if (bytesRead === 0) break
    digest.update(buffer.subarray(0, bytesRead))
    done += bytesRead
  }
  return digest.digest('hex')
}
