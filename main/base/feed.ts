/** Events in order, each delivered to every reader that was there when it happened. Nothing is skipped, so keep readers quick. */
export class Feed<T> {
  readonly #readers = new Set<(event: T) => void>()

  emit(event: T): void {
    for (const reader of [...this.#readers]) reader(event)
  }

  /** Calls `reader` for each event until the returned function is called. */
  on(reader: (event: T) => void): () => void {
    this.#readers.add(reader)
    return () => this.#readers.delete(reader)
  }

  /** Events from now on, until `signal` aborts. The reader's queue is created at the call, not at the first `next()`. */
  events(signal: AbortSignal): AsyncIterable<T> {
    const queue: T[] = []
    let wake: (() => void) | undefined
    const stop = this.on((event) => {
      queue.push(event)
      wake?.()
    })
    const onAbort = (): void => wake?.()
    signal.addEventListener('abort', onAbort)
    const read = async function* (): AsyncGenerator<T> {
      try {
        while (!signal.aborted) {
          const event = queue.shift()
          if (event !== undefined) yield event
          else
            await new Promise<void>((resolve) => {
              wake = resolve
            })
          wake = undefined
        }
      } finally {
        stop()
        signal.removeEventListener('abort', onAbort)
      }
    }
    return read()
  }
}
