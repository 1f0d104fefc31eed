import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import type { Worker } from '../worker/worker.ts'
import type { LiveNetwork } from './app-network.ts'
import type { Wish } from './network-answer.ts'

/** The worker that a question of the practice network may be read by. */
export type OwnWorker = Pick<Worker, 'state' | 'holdsKey'>

/** A port of the proxy of this app, by who uses it. */
export type OwnSide = 'clientPort' | 'workerPort'

/**
 * Whether a connection of the client, or of the worker, leads to the proxy of this app: to the port of this computer that it holds open. Other proxies that
 * a network lists may be anybody's.
 */
export function leadsToOwn(own: LiveNetwork['own'], { endpoint }: { readonly endpoint: string }, side: OwnSide): boolean {
  const port = own?.proxy.status.value[side] ?? null
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
