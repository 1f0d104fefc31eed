import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { writeFailure } from '../base/atomic-file.ts'

const endMark = 0x06054b50
const entryMark = 0x02014b50
const localMark = 0x04034b50
const endBytes = 22
const mostCommentBytes = 0xffff

/**
 * Writes one file of a zip archive to `target`. Only what wheels use: stored or deflated, below 4 GB, one disk, not encrypted.
 * The contents are not judged: check size and hash. Throws `Error` when the archive is damaged or has no such member; `Failure`
 * `disk-full` or `write-failed`; the signal's reason.
 */
export async function takeZipMember(archive: string, member: string, target: string, signal: AbortSignal): Promise<void> {
  const file = await open(archive, 'r')
  let place: Place
  try {
    place = await locate(file, member)
  } finally {
    await file.close()
  }
  const { start, packedBytes, unpackedBytes, deflated } = place
  if (packedBytes === 0) throw new Error('the member is empty')
  const from = createReadStream(archive, { start, end: start + packedBytes - 1, highWaterMark: 1 << 20 })
  const to = createWriteStream(target, { mode: 0o600 })
  try {
    const limit = mostOf(unpackedBytes)
    await (deflated
      ? pipeline(from, createInflateRaw({ chunkSize: 1 << 18 }), limit, to, { signal })
      : pipeline(from, limit, to, { signal }))
  } catch (error) {
    signal.throwIfAborted()
    const system = error instanceof Error && 'syscall' in error && (error.syscall === 'write' || error.syscall === 'open')
    throw system ? writeFailure(target, error) : error
  }
}

interface Place {
  readonly start: number
  readonly packedBytes: number
  readonly unpackedBytes: number
  readonly deflated: boolean
}

async function locate(file: FileHandle, member: string): Promise<Place> {
  const { size } = await file.stat()
  const tail = await bytesAt(file, Math.max(0, size - endBytes - mostCommentBytes), Math.min(size, endBytes + mostCommentBytes))
  let end = tail.length - endBytes
  while (end >= 0 && tail.readUInt32LE(end) !== endMark) end--
  if (end < 0) throw new Error('this is no zip archive')
  const directory = await bytesAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12))
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === entryMark; ) {
    const nameBytes = directory.readUInt16LE(at + 28)
    if (directory.toString('utf8', at + 46, at + 46 + nameBytes) === member) return placeOf(file, directory.subarray(at), size)
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  throw new Error('the archive has no such member')
}

async function placeOf(file: FileHandle, entry: Buffer, size: number): Promise<Place> {
  const [flags, method] = [entry.readUInt16LE(8), entry.readUInt16LE(10)]
  const [packedBytes, unpackedBytes, header] = [entry.readUInt32LE(20), entry.readUInt32LE(24), entry.readUInt32LE(42)]
  if ((flags & 1) !== 0 || (method !== 0 && method !== 8)) throw new Error('the member is packed in an unknown way')
  const local = await bytesAt(file, header, 30)
  if (local.readUInt32LE(0) !== localMark) throw new Error('the archive is damaged')
  const start = header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28)
  if (start + packedBytes > size) throw new Error('the archive is damaged')
  return { start, packedBytes, unpackedBytes, deflated: method === 8 }
}

async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { size } = await file.stat()
  if (at + length > size) throw new Error('the archive is damaged')
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await file.read(bytes, 0, length, at)
  if (bytesRead !== length) throw new Error('the archive is damaged')
  return bytes
}

/** Ends with an error when more bytes come than the archive announced. */
function mostOf(bytes: number): Transform {
  let seen = 0
  return new Transform({
    transform(chunk: Buffer, _, done) {
      seen += chunk.length
      if (seen > bytes) done(new Error('the member is longer than announced'))
      else done(null, chunk)
    },
  })
}
