import type { PowerSource } from '../../preload/api/electricity.ts'
import type { CardRests } from './card-rests.ts'
import type { Energy } from './energy.ts'

/** What a card tells at one look. Null is what it does not tell. */
export interface CardPower {
  /** The same card at each look. */
  readonly id: string
  readonly powerW: number | null
  readonly utilisationPercent: number | null
  /** Another program computes on it, or this app's engine loads a model: it is not at rest, however little it says it does. */
  readonly inUse: boolean
}

/** What answers requests: some of the cards, or something whose power nobody tells. */
export type Server =
  | { readonly by: 'cards'; readonly ids: ReadonlySet<string> }
  | { readonly by: 'processor' | 'elsewhere' | 'nothing' }

export interface PowerLook {
  /** ms of a clock that only goes forward. */
  readonly atMs: number
  /** At least one request is being answered from now on. */
  readonly running: boolean
  readonly server: Server
  readonly cards: readonly CardPower[]
}

/** Longer without a look is a computer that slept, and answered nobody. */
const mostGapMs = 10_000
/** A card's draw at rest is the least mean over so long, so that one low telling is none. */
const restMs = 10_000
/** Above that a card is not at rest, whoever uses it. */
const restPercent = 5

/** A stretch in which a card is at rest. */
interface Rest {
  readonly ms: number
  readonly joules: number
}

/**
 * Adds up what cards draw while requests are answered, above what they draw at rest (ui.md §5.2). Look at each begin and end of answering, and once a second
 * between. The rest of the computer is not counted: it would be, while this app kept it awake, and it never does.
 */
export class PowerMeter {
  #before: PowerLook | undefined
  readonly #resting = new Map<string, Rest>()
  /** Least mean seen so far, W. */
  readonly #restW: CardRests

  constructor(restW: CardRests = new Map<string, number>()) {
    this.#restW = restW
  }

  /** @returns what was taken since the look before; null when nothing was answered meanwhile */
  look(look: PowerLook): Energy | null {
    const before = this.#before
    this.#before = look
    const ms = before === undefined ? 0 : look.atMs - before.atMs
    if (before === undefined || ms <= 0 || ms > mostGapMs) return null
    if (!before.running) {
      for (const card of look.cards) this.#rest(card, ms)
      return null
    }
    this.#resting.clear()
    const draws = drawsOf(look.cards, before.server)
    const rests = before.server.by === 'cards' ? [...before.server.ids].map((id) => this.#restW.get(id)) : []
    if (draws === null || !rests.every((watt) => watt !== undefined)) return { servingMs: ms, measuredMs: 0, drawnJ: 0, restJ: 0 }
    const drawn = sum(draws)
    return { servingMs: ms, measuredMs: ms, drawnJ: joules(drawn, ms), restJ: joules(Math.min(sum(rests), drawn), ms) }
  }

  /** Whether what answers now, or would, is measured. */
  get source(): PowerSource {
    const { server, cards } = this.#before ?? { server: { by: 'nothing' } as const, cards: [] }
    if (server.by !== 'cards') return server.by
    if (drawsOf(cards, server) === null) return 'silent'
    const ids = [...server.ids]
    const neverSeen = (id: string): boolean => cards.some((card) => card.id === id && card.utilisationPercent === null)
    if (ids.some((id) => neverSeen(id) && this.#restW.get(id) === undefined)) return 'silent'
    return ids.every((id) => this.#restW.get(id) !== undefined) ? 'cards' : 'rest'
  }

  #rest({ id, powerW, utilisationPercent, inUse }: CardPower, ms: number): void {
    // A card that does not tell how busy it is may be at work for anybody.
    if (powerW === null || utilisationPercent === null || utilisationPercent > restPercent || inUse) {
      this.#resting.delete(id)
      return
    }
    const { ms: soFarMs, joules: soFar } = this.#resting.get(id) ?? { ms: 0, joules: 0 }
    const stretch = { ms: soFarMs + ms, joules: soFar + joules(powerW, ms) }
    if (stretch.ms < restMs) {
      this.#resting.set(id, stretch)
      return
    }
    this.#resting.delete(id)
    const meanW = (1_000 * stretch.joules) / stretch.ms
    if (meanW < (this.#restW.get(id) ?? Number.POSITIVE_INFINITY)) this.#restW.set(id, meanW)
  }
}

const joules = (watt: number, ms: number): number => (watt * ms) / 1_000
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

/** W of each card that answers; null when one of them does not tell, or none answers. */
function drawsOf(cards: readonly CardPower[], server: Server): number[] | null {
  if (server.by !== 'cards' || server.ids.size === 0) return null
  const draws = [...server.ids].map((id) => cards.find((card) => card.id === id)?.powerW ?? null)
  return draws.every((watt) => watt !== null) ? draws : null
}
