import { pause } from '../base/pause.ts'
import type { Watchable } from '../base/signal.ts'
import type { Client } from '../client/client.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import { maxCoefficient } from './network-answer.ts'
import type { OpenedModel } from './opened-model.ts'

const askAgainMs = 10_000
/** A worker may just be on its way: so often it is looked for soon. */
const lookAgainMs = 1_000
const soonLooks = 20

/**
 * Tells again and again whom questions to an opened network could be sealed to, while its client is connected: soon where that was nobody until now. What a check
 * found at the start of the app, before any worker had announced a key, would stand for ten minutes otherwise.
 */
export function watchSealable(
  live: Watchable<{ readonly client: Pick<Client, 'sealableWorkers' | 'state'> } | null>,
  model: OpenedModel,
  onTold: (workers: readonly SealedWorker[]) => void,
  signal: AbortSignal,
): void {
  /** How many there are; undefined where nobody could be asked. */
  const look = async (): Promise<number | undefined> => {
    const client = live.value?.client
    if (model.value === null || !client?.state.value.connections.some(({ phase }) => phase === 'ready')) return undefined
    try {
      const workers = await client.sealableWorkers(model.value, maxCoefficient)
      if (!signal.aborted) onTold(workers)
      return workers.length
    } catch {
      // The connection is being made again: a new one is checked anyway.
      return undefined
    }
  }
  const run = async (): Promise<void> => {
    let inVain = 0
    while (!signal.aborted) {
      const found = await look()
      inVain = found === 0 ? inVain + 1 : 0
      await pause(found === undefined || (found === 0 && inVain <= soonLooks) ? lookAgainMs : askAgainMs, signal)
    }
  }
  void run()
}

/**
 * Asks for a check where others are told than the last one found: once for each such list, so that a check which finds otherwise all the same is not made
 * for ever.
 */
export class Recheck {
  readonly #check: () => void
  #asked: string | undefined

  constructor(check: () => void) {
    this.#check = check
  }

  /** @param told what there is now @param found by the last check */
  compare(told: ReadonlySet<string>, found: ReadonlySet<string>): void {
    const name = nameOf(told)
    if (name === nameOf(found)) this.#asked = undefined
    else if (name !== this.#asked) {
      this.#asked = name
      this.#check()
    }
  }
}

const nameOf = (ids: ReadonlySet<string>): string => [...ids].toSorted().join()
