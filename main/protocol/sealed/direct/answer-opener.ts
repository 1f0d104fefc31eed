import { createDecipheriv, timingSafeEqual } from 'node:crypto'
import { HeldBytes } from '../../http/held-bytes.ts'
import { decodeHttpResponse, type HttpResponseHead } from '../../http/http-message.ts'
import { decode } from '../../tl/codec.ts'
import { TlError } from '../../tl/tl-error.ts'
import type { TlObject } from '../../tl/types.ts'
import { type AnswerKeys, answerHeadBytes, answerKeys, answerMagic, recordKinds } from './answer-keys.ts'
import { isRecordBucket, isZero } from './padding.ts'
import { SealBroken } from './seal-errors.ts'
import { tagBytes } from './suite.ts'

export type AnswerPiece =
  | { readonly kind: 'head'; readonly head: HttpResponseHead }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** The marker of the end, with the worker's own word on the usage. */
  | { readonly kind: 'end'; readonly end: TlObject<'sealed.end'> }
  /** Also an end: the worker gives up, and says why to the client alone. */
  | { readonly kind: 'error'; readonly code: number; readonly text: string }

const nothing = new Uint8Array(0)
const sizeBytes = 4
const recordHeadBytes = 5

/** The client's side of one answer: opens what comes, in any pieces, and believes nothing that was not sealed for it in this order. */
export class AnswerOpener {
  readonly #secret: Uint8Array
  readonly #enc: Uint8Array
  /** What came and does not fill a record yet. */
  readonly #rest = new HeldBytes()
  /** What is being read. */
  #held: Uint8Array = nothing
  #keys: AnswerKeys | undefined
  #records = 0
  #state: 'new' | 'headed' | 'ended' = 'new'

  constructor(secret: Uint8Array, enc: Uint8Array) {
    this.#secret = secret
    this.#enc = enc
  }

  /** Whether the marker of the end, or the worker's error, has come. */
  get ended(): boolean {
    return this.#state === 'ended'
  }

  /** What these bytes complete. Throws `SealBroken`; nothing more may be read then. */
  push(bytes: Uint8Array): AnswerPiece[] {
    // Mostly records come whole, and nothing has to be copied.
    const isWhole = this.#rest.length === 0
    if (!isWhole) this.#rest.append(bytes)
    this.#held = isWhole ? bytes : this.#rest.bytes
    const before = this.#held.length
    const pieces = this.#read()
    if (!isWhole) this.#rest.drop(before - this.#held.length)
    else if (this.#held.length > 0) this.#rest.append(this.#held)
    this.#held = nothing
    return pieces
  }

  #read(): AnswerPiece[] {
    const pieces: AnswerPiece[] = []
    if (this.#keys === undefined && !this.#begin()) return pieces
    for (;;) {
      if (this.#state === 'ended') {
        if (this.#held.length > 0) throw new SealBroken('after-end', 'something came behind the end of the answer')
        return pieces
      }
      const plain = this.#record()
      if (plain === undefined) return pieces
      pieces.push(this.#piece(plain))
    }
  }

  /** No more will come. Throws `SealBroken` unless the end was marked. */
  finish(): void {
    if (this.#state !== 'ended')
      throw new SealBroken(this.#keys === undefined ? 'not-sealed' : 'truncated', 'the answer ended without its marker')
  }

  #begin(): boolean {
    const held = this.#held
    const magic = held.subarray(0, answerMagic.length)
    if (!timingSafeEqual(magic, answerMagic.subarray(0, magic.length)))
      throw new SealBroken('not-sealed', 'the answer is not sealed')
    if (held.length < answerHeadBytes) return false
    this.#keys = answerKeys(this.#secret, this.#enc, held.slice(answerMagic.length, answerHeadBytes))
    this.#held = held.subarray(answerHeadBytes)
    return true
  }

  /** The next record, opened; undefined while it is not whole. */
  #record(): Buffer | undefined {
    const held = this.#held
    if (this.#keys === undefined || held.length < sizeBytes) return undefined
    const size = ((held[0] ?? 0) | ((held[1] ?? 0) << 8) | ((held[2] ?? 0) << 16) | ((held[3] ?? 0) << 24)) >>> 0
    // Before anything is waited for: a stranger's size must not fill the memory.
    if (!isRecordBucket(size - tagBytes)) throw new SealBroken('altered', 'a record has no size of a record')
    if (held.length < sizeBytes + size) return undefined
    const sealed = held.subarray(sizeBytes, sizeBytes + size)
    const decipher = createDecipheriv('aes-256-gcm', this.#keys.key, this.#keys.nonce(this.#records), { authTagLength: tagBytes })
    decipher.setAuthTag(sealed.subarray(-tagBytes))
    let plain: Buffer
    try {
      // Nothing is read of it before the tag was found right.
      plain = decipher.update(sealed.subarray(0, -tagBytes))
      decipher.final()
    } catch {
      // OpenSSL says no more than that the tag differs.
      throw new SealBroken('altered', 'a record does not open')
    }
    this.#records += 1
    this.#held = held.subarray(sizeBytes + size)
    return plain
  }

  #piece(plain: Buffer): AnswerPiece {
    const end = recordHeadBytes + plain.readUInt32LE(1)
    if (end > plain.length || !isZero(plain.subarray(end))) throw malformed('a record is padded wrongly')
    const content = new Uint8Array(plain.buffer, plain.byteOffset + recordHeadBytes, end - recordHeadBytes)
    try {
      return this.#contentOf(plain[0] ?? 0xff, content)
    } catch (thrown) {
      if (thrown instanceof TlError) throw malformed('a record cannot be read')
      throw thrown
    }
  }

  #contentOf(kind: number, content: Uint8Array): AnswerPiece {
    if (kind === recordKinds.error) {
      const { code, text } = decode(content, 'sealed.error')
      this.#state = 'ended'
      return { kind: 'error', code, text }
    }
    if (kind === recordKinds.head) {
      if (this.#state !== 'new') throw malformed('the answer began twice')
      const { status, reason, headers, payload } = decodeHttpResponse(content)
      if (payload.length > 0) throw malformed('the head carries a body')
      this.#state = 'headed'
      return { kind: 'head', head: { status, reason, headers } }
    }
    if (this.#state !== 'headed') throw malformed('the answer has no head')
    if (kind === recordKinds.data) return { kind: 'data', bytes: content }
    if (kind !== recordKinds.end) throw malformed('a record is of an unknown kind')
    const end = decode(content, 'sealed.end')
    if (!isCountable(end)) throw malformed('the usage at the end is no count')
    this.#state = 'ended'
    return { kind: 'end', end }
  }
}

/** Whether every number can be counted with: it is a stranger's. */
function isCountable({ coefficient, tokens_used: { total_tokens_used: total }, ...end }: TlObject<'sealed.end'>): boolean {
  const counts = [end.prompt_tokens, end.cached_tokens, end.completion_tokens, end.reasoning_tokens]
  return coefficient >= 0 && total >= 0n && counts.every((one) => one >= 0n && one <= mostTokens)
}

/** No answer has so many; below it all sums and products are finite. */
const mostTokens = 1n << 40n

const malformed = (message: string): SealBroken => new SealBroken('malformed', message)
