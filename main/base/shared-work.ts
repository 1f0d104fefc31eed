import { untilAborted } from './until-aborted.ts'

interface Running<T> {
  readonly done: Promise<T>
  readonly control: AbortController
  /** How many wait for it. */
  waiting: number
}

/** Long work that several may ask for at the same time: it runs once for all of them, and ends early only when the last one leaves. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>()

  /**
   * Resolves or rejects as the work of that key, which begins with the first who asks.
   * @throws the reason of `signal` when that aborts; who left last throws once the work is at rest
   */
  async join(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    // What everybody left does not begin anew before it has ended.
    for (let left = this.#running.get(key); left?.control.signal.aborted; left = this.#running.get(key))
      await Promise.allSettled([left.done])
    const running = this.#running.get(key) ?? this.#begin(key, work)
    running.waiting++
    try {
      return await (signal === undefined ? running.done : untilAborted(running.done, signal))
    } finally {
      running.waiting--
      if (running.waiting === 0) {
        running.control.abort(signal?.reason)
        await Promise.allSettled([running.done])
      }
    }
  }

  /** Resolves when none runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running.values()].map(({ done }) => done))
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const control = new AbortController()
    const done = work(control.signal).finally(() => this.#running.delete(key))
    const running = { done, control, waiting: 0 }
    this.#running.set(key, running)
    return running
  }
}
