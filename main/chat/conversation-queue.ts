import type { ConversationEvent } from '../../preload/api/chat.ts'

/**
 * Events for one subscriber of a conversation, in order. Deltas that wait for a slow reader are joined, so the queue stays short.
 */
export class ConversationQueue {
  readonly #waiting: ConversationEvent[] = []
  #wake: (() => void) | undefined

  push(event: ConversationEvent): void {
    const last = this.#waiting.at(-1)
    if (event.type === 'delta' && last?.type === 'delta' && last.turnId === event.turnId)
      this.#waiting[this.#waiting.length - 1] = { ...last, text: last.text + event.text }
    else this.#waiting.push(event)
    this.#wake?.()
  }

  /** Ends when `signal` aborts. */
  async *events(signal: AbortSignal): AsyncGenerator<ConversationEvent> {
    const onAbort = (): void => this.#wake?.()
    signal.addEventListener('abort', onAbort)
    try {
      while (!signal.aborted) {
        const event = this.#waiting.shift()
        if (event !== undefined) yield event
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        this.#wake = undefined
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
