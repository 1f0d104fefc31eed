import type { ClientConnectionState } from '../client/state.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import type { Worker } from '../worker/worker.ts'
import type { LiveNetwork } from './app-network.ts'
import type { Wish } from './network-answer.ts'

/** The worker that a question of the practice network may be read by. */
export type OwnWorker = Pick<Worker, 'state' | 'holdsKey'>

/**
 * Whether a connection of the client leads to the proxy of this app: to the port of this computer that it holds open. Other proxies that a network lists
 * may be anybody's.
 */
export function leadsToOwn(own: LiveNetwork['own'], { endpoint }: Pick<ClientConnectionState, 'endpoint'>): boolean {
  const port = own?.proxy.status.value.clientPort ?? null
  return port !== null && endpoint === `127.0.0.1:${port}`
}

/**
 * What a question of the practice network asks of its seal: it leaves sealed to a key that this app's worker holds, or not at all. The owner's name would
 * not do: the same wallet may be paid for other workers too.
 */
export const ownWish = (worker: OwnWorker): Wish => ({
  seal: 'required',
  objectionTo: ({ keyId }: SealedWorker) => (worker.holdsKey(keyId) ? undefined : notOwn),
})

const notOwn = 'It is not the worker of this app.'
