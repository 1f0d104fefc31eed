import { Signal, type Watchable } from './signal.ts'

/**
 * A value that is computed from others when somebody looks at it: what nobody watches costs nothing, however often its sources change.
 * Whoever changes a source says so.
 */
export class Derived<T> implements Watchable<T> {
  readonly #compute: () => T
  readonly #signal: Signal<T>
  #watchers = 0
  #stale = false
  #rings = false

  constructor(compute: () => T) {
    this.#compute = compute
    this.#signal = new Signal(compute())
  }

  get value(): T {
    this.#refresh()
    return this.#signal.value
  }

  /** A source has changed. Those who watch are told in this turn of the event loop, once for all changes of it. */
  changed(): void {
    this.#stale = true
    if (this.#watchers === 0 || this.#rings) return
    this.#rings = true
    queueMicrotask(() => {
      this.#rings = false
      this.#refresh()
    })
  }

  onChange(listener: (value: T) => void): () => void {
    this.#refresh()
    this.#watchers++
    const stop = this.#signal.onChange(listener)
    let watches = true
    return () => {
      if (watches) this.#watchers--
      watches = false
      stop()
    }
  }

  async *values(signal: AbortSignal): AsyncGenerator<T> {
    this.#refresh()
    this.#watchers++
    try {
      yield* this.#signal.values(signal)
    } finally {
      this.#watchers--
    }
  }

  #refresh(): void {
    if (!this.#stale) return
    this.#stale = false
    this.#signal.set(this.#compute())
  }
}
