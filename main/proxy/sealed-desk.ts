import type { Address } from '@ton/core'
import { hexOf } from '../base/hex.ts'
import { pinRefusals } from '../protocol/sealed/direct/refusals.ts'
import { readSealedRequest, type SealedHead } from '../protocol/sealed/direct/request.ts'
import { KeyRefused, SealRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { readKey, verifyKey } from '../protocol/sealed/direct/worker-key.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import type { QueryFacts } from './http-messages.ts'
import { Refusal } from './refusal.ts'
import type { HeldKey, WorkerSeat } from './seats.ts'

/** Workers whose keys one client is told of at once: the least busy ones. All of it fits into one frame. */
const mostKeysTold = 64
/** The newest key, and the one before it while clients may still hold it. */
const mostKeysKept = 2

/**
 * A worker's new key, verified as clients do: a key that they refuse would keep them from asking this proxy at all. Only its quote is for them alone.
 * @throws KeyRefused
 */
export function acceptKey(
  seat: WorkerSeat,
  signedKey: Uint8Array,
  { root, nowMs }: { readonly root: Address; readonly nowMs: number },
): void {
  const key = readKey(signedKey)
  if (key.model !== seat.model) throw new KeyRefused('other-model', 'the key is for another model')
  if (!key.owner.equals(seat.account.owner)) throw new KeyRefused('owner-mismatch', 'the key is of another owner')
  verifyKey(key, { root, model: seat.baseModel, nowMs })
  const isSame = ({ key: { id } }: HeldKey): boolean => hexOf(id) === hexOf(key.id)
  const others = seat.sealingKeys.filter((held) => !isSame(held) && held.key.expiresAtMs > nowMs)
  const announcedAt = seat.sealingKeys.find(isSame)?.announcedAt ?? performance.now()
  seat.sealingKeys = [...others, { key, announcedAt }].slice(-mostKeysKept)
}

/**
 * The connection that each key belongs to: the first one that announced it, for as long as it is here. A signed key is no secret, and another
 * connection that repeats it must not draw the questions that are sealed to it.
 */
function holders(seats: Iterable<WorkerSeat>): Map<string, { readonly seat: WorkerSeat; readonly announcedAt: number }> {
  const found = new Map<string, { seat: WorkerSeat; announcedAt: number }>()
  for (const seat of seats)
    for (const { key, announcedAt } of seat.sealingKeys) {
      const id = hexOf(key.id)
      const first = found.get(id)
      if (first === undefined || announcedAt < first.announcedAt) found.set(id, { seat, announcedAt })
    }
  return found
}

/**
 * Answer to `client.getWorkerKeys`: the newest key of each worker of a model, those with most room first. One that takes no queries now is told with
 * no place at all: a client that found no key would send its question readable.
 */
export function workerKeys(seats: Iterable<WorkerSeat>, nowMs: number): TlObject<'client.workerKeys'> {
  const all = [...seats]
  const holderOf = holders(all)
  const offers = all.flatMap((seat) => {
    const held = seat.sealingKeys.findLast(({ key }) => key.expiresAtMs > nowMs && holderOf.get(hexOf(key.id))?.seat === seat)
    return held === undefined ? [] : [{ seat, key: held.key, places: seat.enabled ? seat.limit : 0 }]
  })
  return {
    '@type': 'client.workerKeys',
    keys: offers
      .sort(
        (one, other) =>
          Number(one.places === 0) - Number(other.places === 0) ||
          one.seat.running.size / one.seat.limit - other.seat.running.size / other.seat.limit ||
          one.seat.coefficient - other.seat.coefficient,
      )
      .slice(0, mostKeysTold)
      .map(({ seat, key, places }) => ({
        '@type': 'client.workerKey',
        signed_key: key.signedKey,
        coefficient: seat.coefficient,
        active_requests: seat.running.size,
        max_active_requests: places,
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
    hexOf(head.keyId) === hexOf(message.worker_key) &&
    hexOf(head.requestId) === hexOf(message.request_id) &&
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
  const seat = holders(seats).get(hexOf(keyId))?.seat
  if (seat === undefined) throw new Refusal(peerErrorCodes.notReady, pinRefusals.gone)
  if (seat.running.size >= seat.limit) throw new Refusal(peerErrorCodes.notReady, pinRefusals.full)
  return [seat]
}
