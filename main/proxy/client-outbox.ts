import type { TlObject } from '../protocol/tl/types.ts'
import { type EncodedPacket, encodePacket, mostDataBytes } from '../protocol/wire/tcp-packets.ts'

/** The part of a packet connection that an outbox writes to. */
export interface OutboxLine {
  readonly bufferedBytes: number
  sendPacket(packet: EncodedPacket): Promise<void>
}

/** Bytes handed to the socket before the rest waits in the outbox. */
const highWaterBytes = 256 * 1024

interface Queue {
  readonly messages: EncodedPacket[]
  bytes: number
}

/**
 * Messages to one client, a queue for each request, served in turns. A client that reads slowly fills its own requests' queues
 * and nothing else: the workers' connections are never paused for it. `onOverflow` names a request whose queue got too long; its
 * waiting messages are dropped.
 */
export class ClientOutbox {
  readonly #line: OutboxLine
  readonly #mostBytes: number
  readonly #onOverflow: (key: string) => void
  readonly #queues = new Map<string, Queue>()
  #pumping = false
  #closed = false

  /** @param mostBytes limit of one request's queue; one message always fits. */
  constructor(line: OutboxLine, mostBytes: number, onOverflow: (key: string) => void) {
    this.#line = line
    this.#mostBytes = mostBytes
    this.#onOverflow = onOverflow
  }

  /** Queues a message behind the earlier ones of the same key. False when it is too large for one frame: it is not sent. */
  post(key: string, message: TlObject): boolean {
    if (this.#closed) return true
    const packet = encodePacket(message)
    if (packet.dataBytes > mostDataBytes) return false
    // Nothing waits, of this request or of another: no turn has to be kept.
    if (this.#queues.size === 0 && !this.#pumping && this.#line.bufferedBytes <= highWaterBytes) {
      this.#line.sendPacket(packet).catch(() => this.close())
      return true
    }
    const queue = this.#queues.get(key) ?? { messages: [], bytes: 0 }
    this.#queues.set(key, queue)
    if (queue.messages.length > 0 && queue.bytes + packet.dataBytes > this.#mostBytes) {
      queue.messages.length = 0
      this.#queues.delete(key)
      this.#onOverflow(key)
      return true
    }
    queue.messages.push(packet)
    queue.bytes += packet.dataBytes
    void this.#pump()
    return true
  }

  close(): void {
    this.#closed = true
    this.#queues.clear()
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (!this.#closed && this.#queues.size > 0) {
        for (const [key, queue] of [...this.#queues]) {
          const message = queue.messages.shift()
          if (queue.messages.length === 0) this.#queues.delete(key)
          if (message === undefined) continue
          queue.bytes -= message.dataBytes
          const sent = this.#line.sendPacket(message)
          if (this.#line.bufferedBytes > highWaterBytes) await sent
          else sent.catch(() => this.close())
          if (this.#closed) break
        }
      }
    } catch {
      // The connection is over; whoever watches it clears up.
      this.close()
    } finally {
      this.#pumping = false
    }
  }
}
