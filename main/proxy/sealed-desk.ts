import { pinRefusals } from '../protocol/sealed/direct/refusals.ts'
import { readSealedRequest, type SealedHead } from '../protocol/sealed/direct/request.ts'
import { KeyRefused, SealRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { type ReadKey, readKey } from '../protocol/sealed/direct/worker-key.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { hexKey } from './hex-key.ts'
import type { QueryFacts } from './http-messages.ts'
import { Refusal } from './refusal.ts'
import type { WorkerSeat } from './seats.ts'

/** Workers whose keys one client is told of at once: the least busy ones. All of it fits into one frame. */
const mostKeysTold = 64
/** The newest key, and the one before it while clients may still hold it. */
const mostKeysKept = 2

/**
 * A worker's new key. Clients verify keys for themselves; here only what would be of no use to any of them is turned away.
 * @throws KeyRefused
 */
export function acceptKey(seat: WorkerSeat, signedKey: Uint8Array, nowMs: number): void {
  const key = readKey(signedKey)
  if (key.model !== seat.model) throw new KeyRefused('other-model', 'the key is for another model')
  if (!key.owner.equals(seat.account.owner)) throw new KeyRefused('owner-mismatch', 'the key is of another owner')
  if (key.expiresAtMs <= nowMs) throw new KeyRefused('expired', 'the key has expired')
  const others = seat.sealingKeys.filter((held) => hexKey(held.id) !== hexKey(key.id) && held.expiresAtMs > nowMs)
  seat.sealingKeys = [...others, key].slice(-mostKeysKept)
}

/**
 * Answer to `client.getWorkerKeys`: the newest key of each worker of a model, those with most room first. One that takes no queries now is told as
 * full: a client that found no key would send its question readable.
 */
export function workerKeys(seats: Iterable<WorkerSeat>, nowMs: number): TlObject<'client.workerKeys'> {
  const offers = [...seats].flatMap((seat) => {
    const key: ReadKey | undefined = seat.sealingKeys.findLast(({ expiresAtMs }) => expiresAtMs > nowMs)
    return key === undefined ? [] : [{ seat, key, active: seat.enabled ? seat.running.size : seat.limit }]
  })
  return {
    '@type': 'client.workerKeys',
    keys: offers
      .sort(
        (one, other) =>
          one.active / one.seat.limit - other.active / other.seat.limit || one.seat.coefficient - other.seat.coefficient,
      )
      .slice(0, mostKeysTold)
      .map(({ seat, key, active }) => ({
        '@type': 'client.workerKey',
        signed_key: key.signedKey,
        coefficient: seat.coefficient,
        active_requests: active,
        max_active_requests: seat.limit,
      })),
  }
}

/**
 * What the head of a sealed query tells the proxy, in place of the body that it cannot read.
 * @throws Refusal 621 where the head cannot be read, or says something else than the query around it
 */
export function sealedFacts(message: TlObject<'client.runSealedQuery'>): QueryFacts {
  const head = headOf(message.query)
  const agrees =
    hexKey(head.keyId) === hexKey(message.worker_key) &&
    hexKey(head.requestId) === hexKey(message.request_id) &&
    head.model === message.model_name &&
    head.maxTokens === message.max_tokens &&
    head.maxCoefficient === message.max_coefficient
  if (!agrees) throw new Refusal(peerErrorCodes.protocolViolation, pinRefusals.disagrees)
  return { bodyLimit: head.bodyLimit, choices: head.choices }
}

function headOf(query: Uint8Array): SealedHead {
  try {
    return readSealedRequest(query).head
  } catch (thrown) {
    if (!(thrown instanceof SealRefused)) throw thrown
    throw new Refusal(peerErrorCodes.protocolViolation, pinRefusals.disagrees)
  }
}

/** The worker that a client has named by its key; any other is refused, however free. Throws `Refusal` 651. */
export function pinnedSeats(seats: readonly WorkerSeat[], keyId: Uint8Array): WorkerSeat[] {
  const wanted = hexKey(keyId)
  const pinned = seats.filter(({ sealingKeys }) => sealingKeys.some(({ id }) => hexKey(id) === wanted))
  if (pinned.length === 0) throw new Refusal(peerErrorCodes.notReady, pinRefusals.gone)
  if (pinned.every(({ running, limit }) => running.size >= limit)) throw new Refusal(peerErrorCodes.notReady, pinRefusals.full)
  return pinned
}
