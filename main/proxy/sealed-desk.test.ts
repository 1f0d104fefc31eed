import { describe, expect, it } from 'vitest'
import { ed25519Signer } from '../../contracts/ed25519.ts'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { KeyRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { signKey } from '../protocol/sealed/direct/worker-key.ts'
import { fullModel, identity, model, owner, ringOf, root, w5 } from '../protocol/sealed/testing/sealing-scene.ts'
import { Account } from './account.ts'
import { Refusal } from './refusal.ts'
import { acceptKey, pinnedSeats, workerKeys } from './sealed-desk.ts'
import { WorkerSeat } from './seats.ts'

const seat = (limit = 4): WorkerSeat =>
  new WorkerSeat({
    account: new Account('worker', owner, owner),
    model: fullModel,
    baseModel: model,
    limit,
    version: 1,
    cancels: true,
    seals: true,
    imageHash: new Uint8Array(32),
    machine: undefined,
    send: async () => undefined,
    coefficient: 1000,
    enabled: true,
    nowMs: Date.now(),
  })
const at = () => ({ root, nowMs: Date.now() })
const told = (seats: WorkerSeat[]): Uint8Array[] => workerKeys(seats, Date.now()).keys.map(({ signed_key }) => signed_key)

describe('the keys of workers at a proxy', () => {
  it('are told to clients when a client would take them, and no others', async () => {
    const { publicKey, signedKey } = await ringOf().current()
    const good = seat()
    acceptKey(good, signedKey, at())
    expect(told([good])).toEqual([signedKey])
    const nowMs = Date.now()
    const statement = { publicKey, createdAtMs: nowMs, expiresAtMs: nowMs + 3_600_000, root, owner, wallet: w5, model: fullModel }
    const forger = { ...identity, sign: ed25519Signer(new Uint8Array(32).fill(66)) }
    const bad = await Promise.all([
      signKey(statement, forger),
      signKey({ ...statement, root: owner }, identity),
      signKey({ ...statement, expiresAtMs: nowMs + 400 * 3_600_000 }, identity),
      signKey({ ...statement, createdAtMs: nowMs + 3_000_000 }, identity),
      signKey({ ...statement, wallet: { ...w5, public_key: publicKeyOfSeed(new Uint8Array(32).fill(66)) } }, identity),
    ])
    for (const key of bad) {
      const stranger = seat()
      expect(() => acceptKey(stranger, key.signedKey, at())).toThrow(KeyRefused)
      expect(told([stranger])).toEqual([])
    }
  })

  it('of a worker that takes no queries now come last and without a place, whatever room it has', async () => {
    const [paused, full] = [seat(8), seat(1)]
    for (const one of [paused, full]) acceptKey(one, (await ringOf().current()).signedKey, at())
    paused.enabled = false
    full.running.set('a', {} as never)
    const places = workerKeys([paused, full], Date.now()).keys.map(({ active_requests, max_active_requests }) => [
      active_requests,
      max_active_requests,
    ])
    expect(places).toEqual([
      [1, 1],
      [0, 0],
    ])
  })

  it('belong to the connection that announced them first, as long as it is here', async () => {
    const { id, signedKey } = await ringOf().current()
    const [early, late] = [seat(1), seat(100)]
    acceptKey(early, signedKey, at())
    await new Promise((resolve) => setTimeout(resolve, 2))
    acceptKey(late, signedKey, at())
    acceptKey(early, signedKey, at())
    // However the connections are ordered.
    for (const seats of [
      [early, late],
      [late, early],
    ]) {
      expect(pinnedSeats(seats, id)).toEqual([early])
      expect(told(seats)).toHaveLength(1)
    }
    expect(pinnedSeats([late], id)).toEqual([late])
    expect(told([late])).toEqual([signedKey])
    expect(() => pinnedSeats([late], new Uint8Array(32))).toThrow(Refusal)
  })
})
