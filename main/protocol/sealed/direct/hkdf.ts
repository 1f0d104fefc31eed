import { createHmac, hkdfSync } from 'node:crypto'
import { HkdfSha256 } from '@hpke/core'

type Bytes = ArrayBufferLike | ArrayBufferView

const view = (bytes: Bytes): Uint8Array =>
  ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes)
/** An empty salt is as many zeros as the hash has bytes (RFC 5869 §2.2). */
const saltOf = (salt: Bytes): Uint8Array => (salt.byteLength === 0 ? new Uint8Array(32) : view(salt))
const hmac = (key: Uint8Array, data: Uint8Array): ArrayBuffer =>
  new Uint8Array(createHmac('sha256', key).update(data).digest()).buffer

/**
 * HKDF-SHA256 (RFC 5869) at once, on Node's own crypto. The library's goes through WebCrypto, whose every step waits for another thread: a dozen
 * of them for one question cost more than the curve does.
 */
export class HkdfAtOnce extends HkdfSha256 {
  override async extract(salt: Bytes, ikm: Bytes): Promise<ArrayBuffer> {
    return hmac(saltOf(salt), view(ikm))
  }

  override async expand(prk: Bytes, info: Bytes, length: number): Promise<ArrayBuffer> {
    if (length > 255 * 32) throw new RangeError('HKDF gives no more than 255 blocks')
    const out = new Uint8Array(length)
    let block = new Uint8Array(0)
    for (let number = 1, at = 0; at < length; number++, at += 32) {
      block = new Uint8Array(hmac(view(prk), Buffer.concat([block, view(info), Uint8Array.of(number)])))
      out.set(block.subarray(0, length - at), at)
    }
    return out.buffer
  }

  override async extractAndExpand(salt: Bytes, ikm: Bytes, info: Bytes, length: number): Promise<ArrayBuffer> {
    return hkdfSync('sha256', view(ikm), saltOf(salt), view(info), length)
  }
}
