import { createCipheriv, randomBytes } from 'node:crypto'
import { type AnswerKeys, answerKeys, answerMagic, answerNonceBytes, type RecordKind, recordKinds } from './answer-keys.ts'
import { mostRecord, recordBucket } from './padding.ts'
import { tagBytes } from './suite.ts'

/** u8 kind and u32 length in front of the content. */
const recordHeadBytes = 5
/** Content of the largest record. */
const mostContent = mostRecord - recordHeadBytes
const sizeBytes = 4

/** The worker's side of one answer: seals its records, each with the next number. */
export class AnswerSealer {
  readonly #keys: AnswerKeys
  readonly #answerNonce: Uint8Array
  #records = 0
  #begun = false
  #plain: Buffer = Buffer.alloc(0)

  constructor(secret: Uint8Array, enc: Uint8Array) {
    this.#answerNonce = new Uint8Array(randomBytes(answerNonceBytes))
    this.#keys = answerKeys(secret, enc, this.#answerNonce)
  }

  /** Bytes for the wire: content of any length as records of one kind, the first time behind the beginning of an answer. */
  seal(kind: RecordKind, content: Uint8Array): Uint8Array {
    if (this.#begun && content.length <= mostContent) return this.#record(kind, content)
    const out: Uint8Array[] = []
    if (!this.#begun) out.push(answerMagic, this.#answerNonce)
    this.#begun = true
    let at = 0
    do {
      out.push(this.#record(kind, content.subarray(at, at + mostContent)))
      at += mostContent
    } while (at < content.length)
    return Buffer.concat(out)
  }

  /** One piece of memory serves every record of its size: a new one for each costs more than its encryption. */
  #plainOf(size: number): Buffer {
    if (this.#plain.length !== size) this.#plain = Buffer.allocUnsafe(size)
    return this.#plain
  }

  #record(kind: RecordKind, content: Uint8Array): Uint8Array {
    const plain = this.#plainOf(recordBucket(recordHeadBytes + content.length))
    plain[0] = recordKinds[kind]
    plain.writeUInt32LE(content.length, 1)
    plain.set(content, recordHeadBytes)
    plain.fill(0, recordHeadBytes + content.length)
    const cipher = createCipheriv('aes-256-gcm', this.#keys.key, this.#keys.nonce(this.#records), { authTagLength: tagBytes })
    this.#records += 1
    const sealed = cipher.update(plain)
    cipher.final()
    const out = Buffer.allocUnsafe(sizeBytes + plain.length + tagBytes)
    out.writeUInt32LE(plain.length + tagBytes, 0)
    out.set(sealed, sizeBytes)
    out.set(cipher.getAuthTag(), sizeBytes + plain.length)
    return out
  }
}
