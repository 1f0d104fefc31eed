import { WireError } from './wire-error.ts'

/** Bytes of length and sequence number in front of each payload. */
export const frameHeaderBytes = 8
export const leastPayloadBytes = 4
export const mostPayloadBytes = 2 ** 24

const nothing = new Uint8Array()

/** Writes length and sequence number into the first 8 bytes of `frame` (10 §1). */
export function writeFrameHeader(frame: Uint8Array, seqno: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frameHeaderBytes)
  view.setUint32(0, frame.length - frameHeaderBytes, true)
  view.setInt32(4, seqno, true)
}

/**
 * Cuts a byte stream into frames (10 §1). Holds at most one unfinished frame; memory for it is taken as its bytes arrive, not when its
 * length is announced.
 */
export class FrameParser {
  /** Largest payload taken at present; may be changed between frames. */
  mostPayloadBytes: number
  readonly #header = new Uint8Array(frameHeaderBytes)
  readonly #headerView = new DataView(this.#header.buffer)
  #headerHas = 0
  #payloadLength = 0
  /** The unfinished payload, when it did not come in one piece. */
  #held: Uint8Array = nothing
  #heldLength = 0
  #seqno = 0

  constructor(largest: number = mostPayloadBytes) {
    this.mostPayloadBytes = largest
  }

  /** Memory of the unfinished frame. */
  get heldBytes(): number {
    return this.#held.length
  }

  /** Forgets the unfinished frame; the parser must not be used afterwards. */
  drop(): void {
    this.#held = nothing
  }

  /**
   * Calls `onPayload` for each frame that `chunk` completes, in order. A payload may share memory with `chunk`.
   * @throws WireError `protocol-violation` on a wrong length or sequence number; the parser must not be used afterwards
   */
  push(chunk: Uint8Array, onPayload: (payload: Uint8Array) => void): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#headerHas < frameHeaderBytes) {
        const take = Math.min(frameHeaderBytes - this.#headerHas, chunk.length - at)
        this.#header.set(chunk.subarray(at, at + take), this.#headerHas)
        this.#headerHas += take
        at += take
        if (this.#headerHas === frameHeaderBytes) this.#readHeader()
        continue
      }
      const take = Math.min(this.#payloadLength - this.#heldLength, chunk.length - at)
      const part = chunk.subarray(at, at + take)
      at += take
      const complete = this.#heldLength + take === this.#payloadLength
      if (!complete || this.#heldLength > 0) this.#hold(part)
      if (!complete) continue
      const payload = this.#heldLength === 0 ? part : this.#held
      this.#held = nothing
      this.#heldLength = 0
      this.#headerHas = 0
      onPayload(payload)
    }
  }

  /** Keeps a copy, in a buffer that doubles up to the announced length: many small chunks must not cost an object each. */
  #hold(part: Uint8Array): void {
    const end = this.#heldLength + part.length
    if (end > this.#held.length) {
      const grown = new Uint8Array(Math.min(this.#payloadLength, Math.max(end, this.#held.length * 2, 4096)))
      grown.set(this.#held.subarray(0, this.#heldLength))
      this.#held = grown
    }
    this.#held.set(part, this.#heldLength)
    this.#heldLength = end
  }

  #readHeader(): void {
    const length = this.#headerView.getUint32(0, true)
    const seqno = this.#headerView.getInt32(4, true)
    if (length < leastPayloadBytes || length > this.mostPayloadBytes)
      throw new WireError('protocol-violation', `The peer announced a frame of ${length} bytes`)
    if (seqno !== this.#seqno)
      throw new WireError('protocol-violation', `The peer sent frame ${seqno} where ${this.#seqno} was due`)
    this.#payloadLength = length
    this.#seqno = (seqno + 1) | 0
  }
}
