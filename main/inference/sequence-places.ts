import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'
import type { GenerationOptions } from './engine.ts'
import { WaitingLine } from './waiting-line.ts'

/** One of the sequences of the context, with what is known about the tokens that lie in it. */
export interface Place {
  readonly sequence: LlamaContextSequence
  /** Whose tokens lie here; undefined: of nobody who shares. */
  lastScope: string | undefined
  lastUsedMs: number
  /** How many of its tokens the one who holds it may keep. */
  reusable: number
}

/** Who asks for a place, and with what. */
export interface PlaceRequest {
  readonly lane: string
  readonly tokens: readonly Token[]
  /** Tokens at the start that are no content; see `templateOpening`. */
  readonly opening: number
  readonly scope: string | undefined
}

interface Waiting extends PlaceRequest {
  readonly take: (place: Place) => void
}

/** The lane of the user's own chat. */
export const ownLane = 'own'

/** Whose prompt it is; see `cacheScope` of the options. */
export function scopeOf({ cacheScope, lane = ownLane }: GenerationOptions): string | undefined {
  return cacheScope ?? (lane === ownLane ? 'own' : undefined)
}

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
      lastScope: undefined,
      lastUsedMs: 0,
      reusable: 0,
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

  release(place: Place, scope: string | undefined): void {
    place.lastScope = scope
    place.lastUsedMs = performance.now()
    this.#free.push(place)
    this.#serve()
  }

  #serve(): void {
    while (this.#free.length > 0) {
      const waiting = this.#line.next(this.#free.length <= this.#kept)
      if (waiting === undefined) return
      const { place, reuse } = this.#bestFor(waiting)
      place.reusable = reuse
      this.#free.splice(this.#free.indexOf(place), 1)
      waiting.take(place)
    }
  }

  /** The free place with the longest reusable beginning; else the one unused for longest. */
  #bestFor(waiting: Waiting): { readonly place: Place; readonly reuse: number } {
    const rated = this.#free.map((place) => ({ place, reuse: reusableTokens(place, waiting) }))
    rated.sort((a, b) => b.reuse - a.reuse || a.place.lastUsedMs - b.place.lastUsedMs)
    const [best] = rated
    if (best === undefined) throw new Error('no free place')
    return best
  }
}

/**
 * How many tokens in the place may be kept for this prompt. Of another scope's it is the template's opening and nothing else, not even a prompt that
 * comes again as a whole: who is told that, or is answered sooner, has a guess of another's words confirmed, and then word by word the answer to them.
 */
function reusableTokens(place: Place, { tokens, opening, scope }: PlaceRequest): number {
  const { firstDifferentIndex } = place.sequence.compareContextTokens([...tokens])
  const same = scope !== undefined && scope === place.lastScope
  const kept = same ? firstDifferentIndex : Math.min(firstDifferentIndex, opening)
  // The last prompt token is always evaluated: the first answer token is sampled from it.
  return Math.max(0, Math.min(kept, tokens.length - 1))
}
