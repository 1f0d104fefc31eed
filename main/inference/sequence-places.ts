import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'
import { WaitingLine } from './waiting-line.ts'

/** One of the sequences of the context, with what is known about the tokens that lie in it. */
export interface Place {
  readonly sequence: LlamaContextSequence
  /** Length of the last prompt evaluated here. */
  lastPromptTokens: number
  /** Whose it was; undefined: of nobody who shares. */
  lastScope: string | undefined
  lastUsedMs: number
}

/** Who asks for a place, and with what. */
export interface PlaceRequest {
  readonly lane: string
  readonly tokens: readonly Token[]
  readonly publicPrefix: number
  readonly scope: string | undefined
}

interface Waiting extends PlaceRequest {
  readonly take: (place: Place) => void
}

/** The lane of the user's own chat. */
export const ownLane = 'own'

/**
 * Sequences are few; who finds none free waits in a line. The user's own chat goes first, the other lanes take turns. With `keepOwn` one place is
 * left to the own chat alone, so that it never waits for the end of somebody else's answer.
 */
export class SequencePlaces {
  readonly #free: Place[]
  readonly #line = new WaitingLine<Waiting>(ownLane)
  readonly #total: number
  /** Places that others leave free. */
  readonly #kept: number

  constructor(context: LlamaContext, keepOwn: boolean) {
    this.#total = context.totalSequences
    this.#kept = keepOwn && context.totalSequences > 1 ? 1 : 0
    this.#free = Array.from({ length: context.totalSequences }, () => ({
      sequence: context.getSequence(),
      lastPromptTokens: 0,
      lastScope: undefined,
      lastUsedMs: 0,
    }))
  }

  /** How many places are in use. */
  get taken(): number {
    return this.#total - this.#free.length
  }

  /** Resolves with a place, or with undefined once `signal` aborts. Give it back with `release`. */
  acquire(request: PlaceRequest, signal: AbortSignal): Promise<Place | undefined> {
    if (signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const give = (): void => {
        this.#line.remove(waiting)
        resolve(undefined)
      }
      const waiting: Waiting = {
        ...request,
        take: (place) => {
          signal.removeEventListener('abort', give)
          resolve(place)
        },
      }
      signal.addEventListener('abort', give, { once: true })
      this.#line.add(request.lane, waiting)
      this.#serve()
    })
  }

  release(place: Place, promptTokens: number, scope: string | undefined): void {
    place.lastPromptTokens = promptTokens
    place.lastScope = scope
    place.lastUsedMs = performance.now()
    this.#free.push(place)
    this.#serve()
  }

  #serve(): void {
    while (this.#free.length > 0) {
      const waiting = this.#line.next(this.#free.length <= this.#kept)
      if (waiting === undefined) return
      const place = this.#bestFor(waiting)
      this.#free.splice(this.#free.indexOf(place), 1)
      waiting.take(place)
    }
  }

  /** The free place with the longest reusable beginning; else the one unused for longest. */
  #bestFor(waiting: Waiting): Place {
    const rated = this.#free.map((place) => ({
      place,
      reuse: reusableTokens(place, waiting.tokens, waiting.publicPrefix, waiting.scope),
    }))
    rated.sort((a, b) => b.reuse - a.reuse || a.place.lastUsedMs - b.place.lastUsedMs)
    const [best] = rated
    if (best === undefined) throw new Error('no free place')
    return best.place
  }
}

/**
 * How many tokens in the place may be kept for this prompt. Of a prompt of another scope it is the whole or nothing (apart from the
 * template's own opening): a count of cached tokens that grows with each rightly guessed word would let one caller read another's.
 */
export function reusableTokens(place: Place, tokens: readonly Token[], publicPrefix: number, scope: string | undefined): number {
  const { firstDifferentIndex } = place.sequence.compareContextTokens([...tokens])
  const whole = place.lastPromptTokens > 0 && firstDifferentIndex >= place.lastPromptTokens
  const same = scope !== undefined && scope === place.lastScope
  const kept = whole || same ? firstDifferentIndex : Math.min(firstDifferentIndex, publicPrefix)
  // The last prompt token is always evaluated: the first answer token is sampled from it.
  return Math.max(0, Math.min(kept, tokens.length - 1))
}
