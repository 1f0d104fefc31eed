import type { EngineEvent } from './engine.ts'

/** Fewer tokens than this say little about the speed. What comes at once, as the call of a tool does, has no others behind it. */
const leastTokens = 16

/** How fast one answer is written, behind its first words and to its end; thoughts and calls count as words do. */
export class AnswerSpeed {
  readonly #now: () => number
  #first: { readonly atMs: number; readonly tokens: number } | undefined
  #wasAlone = true

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * Takes an event as it comes.
   * @param isAlone whether nothing else was under way: answers that are written together share the speed of the machine
   * @returns tokens per second, at the end of an answer that tells
   */
  take(event: EngineEvent, isAlone: boolean): number | undefined {
    this.#wasAlone &&= isAlone
    if ('tokens' in event) this.#first ??= { atMs: this.#now(), tokens: event.tokens }
    if (event.type !== 'done' || this.#first === undefined || !this.#wasAlone) return undefined
    const [tokens, seconds] = [event.usage.completionTokens - this.#first.tokens, (this.#now() - this.#first.atMs) / 1000]
    return tokens < leastTokens || seconds <= 0 ? undefined : tokens / seconds
  }
}
