import type { Socket } from 'node:net'

/**
 * Bounds the connections of a server. When all places are taken, the oldest connection that nobody vouched for gives way to the new one, so that
 * connections that only wait keep nobody out; where all are vouched for, the new one is closed.
 */
export class ConnectionPlaces {
  readonly #most: number
  readonly #vouched = new Set<Socket>()
  /** The oldest first. */
  readonly #strange = new Set<Socket>()

  /** @param most connections at once */
  constructor(most: number) {
    this.#most = most
  }

  /** A connection that was just opened. */
  admit(socket: Socket): void {
    if (this.#vouched.size + this.#strange.size >= this.#most) {
      const [oldest = socket] = this.#strange
      this.#leave(oldest)
      oldest.destroy()
      if (oldest === socket) return
    }
    this.#strange.add(socket)
    socket.once('close', () => this.#leave(socket))
  }

  /** What comes over this connection is from somebody who may use the server. */
  vouch(socket: Socket): void {
    if (this.#strange.delete(socket)) this.#vouched.add(socket)
  }

  #leave(socket: Socket): void {
    this.#strange.delete(socket)
    this.#vouched.delete(socket)
  }
}
