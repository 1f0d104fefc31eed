/** Looks so often within the limit. */
const looks = 10

/**
 * Calls `onOver` once when nothing was heard for `limitMs`. Only time in which this process ran counts: a computer that slept, or a loop that was busy
 * here, is nobody else's silence.
 */
export class SilenceWatch {
  readonly #timer: NodeJS.Timeout
  #silent = 0

  constructor(limitMs: number, onOver: () => void) {
    this.#timer = setInterval(() => {
      if (++this.#silent < looks) return
      this.stop()
      onOver()
    }, limitMs / looks)
    this.#timer.unref()
  }

  heard(): void {
    this.#silent = 0
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
