import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'
import { WaitingLine } from './waiting-line.ts'

/** One of the sequences of the context, with what is known about the tokens that lie in it. */
export interface Place {
  readonly sequence: LlamaContextSequence
  /** Length of the last prompt evaluated here. */
  lastPromptTokens: number
  lastUsedMs: number
}

interface Waiting {
  readonly tokens: readonly Token[]
  readonly publicPrefix: number
  readonly take: (place: Place) => void
}

/** Sequences are few; who finds none free waits in a line where lanes take turns. */
export class SequencePlaces {
  readonly #free: Place[]
  readonly #line = new WaitingLine<Waiting>()

  constructor(context: LlamaContext) {
    this.#free = Array.from({ length: context.totalSequences }, () => ({
      sequence: context.getSequence(),
      lastPromptTokens: 0,
      lastUsedMs: 0,
    }))
  }

  /** Resolves with a place, or with undefined once `signal` aborts. Give it back with `release`. */
  acquire(lane: string, tokens: readonly Token[], publicPrefix: number, signal: AbortSignal): Promise<Place | undefined> {
    if (signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const give = (): void => {
        this.#line.remove(waiting)
        resolve(undefined)
      }
      const waiting: Waiting = {
        tokens,
        publicPrefix,
        take: (place) => {
          signal.removeEventListener('abort', give)
          resolve(place)
        },
      }
      signal.addEventListener('abort', give, { once: true })
      this.#line.add(lane, waiting)
      this.#serve()
    })
  }

  release(place: Place, promptTokens: number): void {
    place.lastPromptTokens = promptTokens
    place.lastUsedMs = performance.now()
    this.#free.push(place)
    this.#serve()
  }

  #serve(): void {
    while (this.#free.length > 0) {
      const waiting = this.#line.next()
      if (waiting === undefined) return
      const place = this.#bestFor(waiting)
      this.#free.splice(this.#free.indexOf(place), 1)
      waiting.take(place)
    }
  }

  /** The free place with the longest reusable beginning; else the one unused for longest. */
  #bestFor(waiting: Waiting): Place {
    const rated = this.#free.map((place) => ({ place, reuse: reusableTokens(place, waiting.tokens, waiting.publicPrefix) }))
    rated.sort((a, b) => b.reuse - a.reuse || a.place.lastUsedMs - b.place.lastUsedMs)
    const [best] = rated
    if (best === undefined) throw new Error('no free place')
    return best.place
  }
}

/**
 * How many tokens in the place may be kept for this prompt. An earlier prompt is reused as a whole or not at all (apart from the
 * template's own opening): a count of cached tokens that grows with each rightly guessed word would let one caller read another's.
 */
export function reusableTokens(place: Place, tokens: readonly Token[], publicPrefix: number): number {
  const { firstDifferentIndex } = place.sequence.compareContextTokens([...tokens])
  const whole = place.lastPromptTokens > 0 && firstDifferentIndex >= place.lastPromptTokens
  const kept = whole ? firstDifferentIndex : Math.min(firstDifferentIndex, publicPrefix)
  // The last prompt token is always evaluated: the first answer token is sampled from it.
  return Math.max(0, Math.min(kept, tokens.length - 1))
}
