import { pause } from '../base/pause.ts'
import type { Watchable } from '../base/signal.ts'
import type { Client } from '../client/client.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import { maxCoefficient } from './network-answer.ts'
import type { OpenedModel } from './opened-model.ts'

const askAgainMs = 10_000
/** A worker may just be on its way. */
const lookAgainMs = 1_000

/**
 * Tells again and again whom questions to an opened network could be sealed to, while its client is connected: soon where that is nobody. What a check
 * found at the start of the app, before any worker had announced a key, would stand for ten minutes otherwise.
 */
export function watchSealable(
  live: Watchable<{ readonly client: Pick<Client, 'sealableWorkers' | 'state'> } | null>,
  model: OpenedModel,
  onTold: (workers: readonly SealedWorker[]) => void,
  signal: AbortSignal,
): void {
  const look = async (): Promise<number> => {
    const client = live.value?.client
    if (model.value === null || !client?.state.value.connections.some(({ phase }) => phase === 'ready')) return 0
    try {
      const workers = await client.sealableWorkers(model.value, maxCoefficient)
      if (!signal.aborted) onTold(workers)
      return workers.length
    } catch {
      // The connection is being made again: a new one is checked anyway.
      return 0
    }
  }
  const run = async (): Promise<void> => {
    while (!signal.aborted) await pause((await look()) === 0 ? lookAgainMs : askAgainMs, signal)
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
