import { SealBroken } from './seal-errors.ts'

/** Length field in front of what is padded, u32 little-endian. */
const lengthBytes = 4

const leastRequest = 1024
const leastStep = 256

/**
 * Size to which a request of `length` bytes is padded: 1024, then steps of an eighth of the power of two below, at least 256. Proxies reserve a
 * client's credit by the byte, so the steps are fine: what is added stays below an eighth, and the size still says the length only roughly.
 */
export function requestBucket(length: number): number {
  if (length <= leastRequest) return leastRequest
  const step = Math.max(leastStep, 2 ** (31 - Math.clz32(length) - 3))
  return Math.ceil(length / step) * step
}

const leastRecord = 512
/** The largest record of an answer; more is cut into several. */
export const mostRecord = 65_536

/** Size to which a record of an answer is padded: a power of two from 512 to 65536 bytes. A token of a stream fits into the smallest one. */
export function recordBucket(length: number): number {
  if (length > mostRecord) throw new RangeError(`a record holds at most ${mostRecord} bytes`)
  return length <= leastRecord ? leastRecord : 2 ** (32 - Math.clz32(length - 1))
}

/** Whether a record may have that size. */
export function isRecordBucket(length: number): boolean {
  return length >= leastRecord && length <= mostRecord && (length & (length - 1)) === 0
}

/** `length (4) ‖ content ‖ zeros` of the bucket's size. */
export function padded(content: Uint8Array, bucketOf: (length: number) => number): Buffer {
  const out = Buffer.alloc(bucketOf(lengthBytes + content.length))
  out.writeUInt32LE(content.length, 0)
  out.set(content, lengthBytes)
  return out
}

const zeros = Buffer.alloc(mostRecord)

/** Whether nothing but zeros stands in it. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length)
    if (zeros.compare(part, 0, part.length, 0, part.length) !== 0) return false
  }
  return true
}

/** The content, a view. Throws `SealBroken` for a length that does not fit, or padding that is not zero: nobody may hide something there. */
export function unpadded(bytes: Uint8Array): Uint8Array {
  const length = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32LE(0)
  const end = lengthBytes + length
  if (end > bytes.length || !isZero(bytes.subarray(end))) throw new SealBroken('malformed', 'a padded text has a wrong length')
  return bytes.subarray(lengthBytes, end)
}
