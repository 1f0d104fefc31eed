import type { TlObject } from '../protocol/tl/types.ts'

/** A model that a proxy can have answered. */
export interface ModelOffer {
  /** Base name. */
  readonly model: string
  /** Price factors in thousandths, and how busy each worker is. */
  readonly workers: ReadonlyArray<{ readonly coefficient: number; readonly running: number; readonly mostRunning: number }>
}

/** What one proxy lists (protocol 30 §8.1), in its order: the cheapest worker first. */
export const offersOf = ({ types }: TlObject<'client.workerTypesV2'>): ModelOffer[] =>
  types.map(({ name, workers }) => ({
    model: name,
    workers: workers.map((one) => ({
      coefficient: one.coefficient,
      running: one.active_requests,
      mostRunning: one.max_active_requests,
    })),
  }))

/** One entry for each model, with the workers of all proxies, cheapest first. */
export function mergeOffers(offers: readonly (readonly ModelOffer[])[]): ModelOffer[] {
  const workers = new Map<string, ModelOffer['workers'][number][]>()
  for (const offer of offers.flat()) workers.set(offer.model, [...(workers.get(offer.model) ?? []), ...offer.workers])
  return [...workers].map(([model, all]) => ({
    model,
    workers: all.toSorted((one, other) => one.coefficient - other.coefficient),
  }))
}
