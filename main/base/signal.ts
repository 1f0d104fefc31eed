/** Something that can be read now and watched. Rooms hand their state up by it; nobody calls back down. */
export interface Watchable<T> {
  readonly value: T
  /** The present value at once, then every newer one; a slow reader skips to the newest. Ends when `signal` aborts. */
  values(signal: AbortSignal): AsyncIterable<T>
  /** Calls `listener` on each change (not with the present value) until the returned function is called. */
  onChange(listener: (value: T) => void): () => void
}

export class Signal<T> implements Watchable<T> {
  #value: T
  readonly #listeners = new Set<(value: T) => void>()

  constructor(initial: T) {
    this.#value = initial
  }

  get value(): T {
    return this.#value
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const listener of [...this.#listeners]) listener(value)
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value))
  }

  onChange(listener: (value: T) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async *values(signal: AbortSignal): AsyncGenerator<T> {
    let wake: (() => void) | undefined
    let fresh = true
    const ring = (): void => {
      fresh = true
      wake?.()
    }
    const stop = this.onChange(ring)
    signal.addEventListener('abort', ring)
    try {
      while (!signal.aborted) {
        if (fresh) {
          fresh = false
          yield this.#value
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          wake = undefined
        }
      }
    } finally {
      stop()
      signal.removeEventListener('abort', ring)
    }
  }
}

/** Listens by `listen` to what `values` holds, as long as it is the present one, and calls `show` on each change of it, for the life of the program. */
export function follow<T>(values: Watchable<T | null>, listen: (value: T) => () => void, show: () => void): void {
  let stop: () => void = () => undefined
  const take = (value: T | null): void => {
    stop()
    stop = value === null ? () => undefined : listen(value)
  }
  take(values.value)
  values.onChange((value) => {
    take(value)
    show()
  })
}
