/** A connection with a frame that has not come in whole. */
export interface FrameHolder {
  /** Ends it: it holds up memory that others need. */
  giveUp(): void
}

/**
 * What the unfinished frames of all connections of a port hold together. Beyond the limit the one that has been coming in longest goes: a
 * frame that somebody waits for comes in at once.
 */
export class FrameBudget {
  readonly #mostBytes: number
  /** The oldest first. */
  readonly #held = new Map<FrameHolder, number>()
  #bytes = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** States what the unfinished frame of that connection holds now; 0 when there is none. */
  hold(holder: FrameHolder, bytes: number): void {
    const before = this.#held.get(holder)
    if (bytes === 0 && before === undefined) return
    this.#bytes += bytes - (before ?? 0)
    if (bytes === 0) this.#held.delete(holder)
    else this.#held.set(holder, bytes)
    while (this.#bytes > this.#mostBytes) {
      const [oldest] = this.#held.keys()
      if (oldest === undefined) return
      this.hold(oldest, 0)
      oldest.giveUp()
    }
  }
}
