import type { ModelOffer } from './model-offer.ts'

/** A ready proxy connection as the choice sees it. */
export interface LinkView {
  /** What it offered when it was asked last; undefined before the first answer. */
  readonly offers: readonly ModelOffer[] | undefined
  /** Adjusted tokens that may still be reserved there; undefined = without limit. */
  readonly spendable: bigint | undefined
  /** Own requests under way there. */
  readonly running: number
  /** Mean time to the first word of an answer, ms; undefined before the first one. */
  readonly firstWordMs: number | undefined
  /** Part of the recent requests that ended well, 0 to 1. */
  readonly successRate: number
}

export interface Wanted {
  readonly model: string
  /** Adjusted tokens that a proxy will reserve. */
  readonly reserve: bigint
  /** Thousandths. */
  readonly maxCoefficient: number
}

/** Expected times within this factor and margin of the best count as equally fast, so that the price can decide. */
const equallyFast = { factor: 1.25, marginMs: 100 } as const

/**
 * Links in the order in which a request should try them: those that can serve it, by expected time to the first word (failures count as time),
 * among about equally fast ones by the price of their cheapest free worker, then by own requests under way. Those that probably cannot are
 * last, in the same order: what is known of them may be old.
 */
export function rankLinks<T extends LinkView>(links: readonly T[], wanted: Wanted): T[] {
  const views = links.map((link) => {
    const workers = link.offers?.find(({ model }) => model === wanted.model)?.workers
    const fitting = workers?.filter((one) => one.coefficient <= wanted.maxCoefficient && one.running < one.mostRunning)
    const serves = link.offers === undefined || (fitting !== undefined && fitting.length > 0)
    const pays = link.spendable === undefined || link.spendable >= wanted.reserve
    // What is not known yet is met with an open mind: as cheap as can be, and below as quick as the quickest.
    const price = link.offers === undefined ? 0 : Math.min(...(fitting ?? []).map(({ coefficient }) => coefficient))
    return { link, able: serves && pays, price }
  })
  const known = links.map(({ firstWordMs }) => firstWordMs).filter((ms) => ms !== undefined)
  const quickest = known.length > 0 ? Math.min(...known) : 1
  const expected = ({ firstWordMs, successRate, running }: LinkView): number =>
    ((firstWordMs ?? quickest) * (1 + running / 8)) / Math.max(0.05, successRate)
  const order = (group: typeof views): T[] => {
    const best = Math.min(...group.map(({ link }) => expected(link)))
    const isFast = (link: T): boolean => expected(link) <= best * equallyFast.factor + equallyFast.marginMs
    const inOrder = group.toSorted(
      (one, other) =>
        Number(isFast(other.link)) - Number(isFast(one.link)) ||
        (isFast(one.link) ? comparePrices(one.price, other.price) : expected(one.link) - expected(other.link)) ||
        one.link.running - other.link.running,
    )
    return inOrder.map(({ link }) => link)
  }
  return [...order(views.filter(({ able }) => able)), ...order(views.filter(({ able }) => !able))]
}

/** Nobody free has an infinite price; two of them are equal. */
function comparePrices(one: number, other: number): number {
  return one === other ? 0 : one - other
}
