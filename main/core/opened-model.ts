import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Client } from '../client/client.ts'

const askAgainMs = 10_000
/** A worker may just be on its way. */
const lookAgainMs = 1_000

/** Base name of the model that questions to an opened network go to; null while nobody offers one. */
export type OpenedModel = Watchable<string | null>

/**
 * Asks the proxies what can be answered, while the client is connected: the model that more workers offer than any other, among equals the first by
 * name, and once chosen the same as long as it is offered.
 */
export function watchOpenedModel(
  live: Watchable<{ readonly client: Pick<Client, 'models' | 'state'> } | null>,
  signal: AbortSignal,
): OpenedModel {
  const model = new Signal<string | null>(null)
  const look = async (): Promise<void> => {
    const client = live.value?.client
    if (!client?.state.value.connections.some(({ phase }) => phase === 'ready')) return
    try {
      const offers = (await client.models()).filter(({ workers }) => workers.length > 0)
      const sorted = offers.toSorted((a, b) => b.workers.length - a.workers.length || (a.model < b.model ? -1 : 1))
      const kept = sorted.find((offer) => offer.model === model.value)
      model.set((kept ?? sorted[0])?.model ?? null)
    } catch {
      // The connection is being made again; what was offered before may come back with it.
    }
  }
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await look()
      await pause(model.value === null ? lookAgainMs : askAgainMs, signal)
    }
  }
  void run()
  return model
}
