import type { Duplex } from 'node:stream'

/** At most so many bytes are given to the socket at a time. Small enough to see that a slow peer still takes some. */
const batchBytes = 256 * 1024
/** Senders wait while more than this is queued. */
const comfortableBytes = 256 * 1024

/** Frames of one connection on their way out. Frames of one turn of the event loop leave in one write. */
export class Outbox {
  readonly #stream: Duplex
  readonly #mostBytes: number
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #scheduled = false
  #writing = false
  #ending: (() => void) | undefined
  #room: PromiseWithResolvers<void> | undefined
  #progressAt = 0

  constructor(stream: Duplex, mostBytes: number) {
    this.#stream = stream
    this.#mostBytes = mostBytes
  }

  /** Bytes that the socket has not taken yet. */
  get bytes(): number {
    return this.#queuedBytes
  }

  hasRoomFor(length: number): boolean {
    return this.#queuedBytes + length <= this.#mostBytes
  }

  /** How long the socket has taken nothing although bytes wait. */
  stalledMs(now: number): number {
    return this.#queuedBytes === 0 ? 0 : now - this.#progressAt
  }

  /**
   * Queues a frame; the caller has asked `hasRoomFor`. Returns undefined when little enough waits, else a promise that resolves when that
   * is so, or on `drop`.
   */
  add(frame: Uint8Array): Promise<void> | undefined {
    if (this.#queuedBytes === 0) this.#progressAt = performance.now()
    this.#queuedBytes += frame.length
    for (let at = 0; at < frame.length; at += batchBytes) this.#queue.push(frame.subarray(at, at + batchBytes))
    if (!this.#scheduled && !this.#writing) {
      this.#scheduled = true
      // After everything that has come in by now was handled: what it gives rise to leaves in the same write.
      setImmediate(() => {
        this.#scheduled = false
        this.#writeBatch()
      })
    }
    if (this.#queuedBytes <= comfortableBytes) return undefined
    this.#room ??= Promise.withResolvers<void>()
    return this.#room.promise
  }

  /** Calls `done` when everything queued has left. */
  whenSent(done: () => void): void {
    if (this.#queuedBytes === 0) done()
    else this.#ending = done
  }

  /** Forgets what waits and lets the waiting senders go on. */
  drop(): void {
    this.#queue = []
    this.#queuedBytes = 0
    this.#ending = undefined
    this.#releaseSenders()
  }

  #writeBatch(): void {
    if (this.#writing || this.#queue.length === 0) return
    let count = 0
    let length = 0
    for (const part of this.#queue) {
      if (count > 0 && length + part.length > batchBytes) break
      count++
      length += part.length
    }
    const batch = this.#queue.splice(0, count)
    const [first] = batch
    this.#writing = true
    // One copy costs less than a write request for each frame.
    this.#stream.write(batch.length === 1 && first ? first : Buffer.concat(batch, length), () => this.#onWritten(length))
  }

  #onWritten(length: number): void {
    this.#writing = false
    this.#progressAt = performance.now()
    this.#queuedBytes = Math.max(0, this.#queuedBytes - length)
    if (this.#queuedBytes <= comfortableBytes) this.#releaseSenders()
    this.#writeBatch()
    if (this.#queuedBytes === 0) {
      const done = this.#ending
      this.#ending = undefined
      done?.()
    }
  }

  #releaseSenders(): void {
    const room = this.#room
    this.#room = undefined
    room?.resolve()
  }
}
