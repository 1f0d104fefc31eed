import { beginCell, type Cell, toNano } from '@ton/core'
import { Executor } from '@ton/sandbox'
import { addressOf } from './account.ts'
import { castWith } from './cast.ts'
import type { Operation } from './choices.ts'
import { Dice } from './dice.ts'
import { checkExits } from './exit-check.ts'
import { checkInvariants } from './invariants.ts'
import type { Terms } from './model-layout.ts'
import type { RootModel } from './model-root.ts'
import { LATE_OPERATIONS } from './operations-late.ts'
import { MEMBER_OPERATIONS } from './operations-members.ts'
import { NOISE_OPERATIONS } from './operations-noise.ts'
import { delays, possible, prices, ROOT_OPERATIONS, stakes } from './operations-root.ts'
import { SIGNED_OPERATIONS } from './operations-signed.ts'
import { checkReordering } from './reorder-check.ts'
import { type Watch, World } from './world.ts'

export interface Codes {
  readonly root: Cell
  readonly proxy: Cell
  readonly worker: Cell
  readonly client: Cell
}

export interface Plan {
  /** Decides everything. */
  readonly seed: number
  readonly operations: number
  readonly codes: Codes
  /** Only these operations, by number; all when left out. Each is drawn from its own dice, so the others hardly change. */
  readonly only?: ReadonlySet<number>
  readonly watch?: Watch
}

export interface Played {
  readonly operations: number
  readonly transactions: number
  /** How often each contract ended a message how. */
  readonly seen: ReadonlyMap<string, number>
}

/** A sequence in which something did not hold. */
export class Failure extends Error {
  readonly seed: number
  /** The operations that were played, by number. */
  readonly played: readonly number[]
  readonly log: readonly string[]

  constructor(seed: number, played: readonly number[], log: readonly string[], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'Failure'
    this.seed = seed
    this.played = played
    this.log = log
  }
}

const OPERATIONS: readonly (readonly [number, Operation])[] = [
  ...MEMBER_OPERATIONS,
  ...SIGNED_OPERATIONS,
  ...ROOT_OPERATIONS,
  ...NOISE_OPERATIONS,
  ...LATE_OPERATIONS,
]

/** Three empty lists. */
const NO_VERIFIED_KEYS = beginCell().storeUint(0, 3).endCell()

let executor: Promise<Executor> | undefined

/** Plays one sequence and holds every step against the model and the books. Throws Failure. */
export async function play(plan: Plan): Promise<Played> {
  executor ??= Executor.create()
  const dice = new Dice(plan.seed)
  const world = await start(await executor, dice.fork(0), plan.codes, plan.watch ?? 'model')
  const log: string[] = []
  const played: number[] = []
  try {
    for (let number = 0; number < plan.operations; number += 1) {
      if (plan.only !== undefined && !plan.only.has(number)) continue
      const own = dice.fork(1 + number)
      played.push(number)
      log.push(`${number}`)
      const said = await own.weighted(OPERATIONS)(world, own)
      log[log.length - 1] = `${number} ${said}`
      // Now and then something stays on its way, and later messages overtake it.
      const isPatient = own.chance(0.15)
      if (!isPatient) await world.drain((possible) => own.pick(possible))
      else if (world.ledger.flight.length > 0) await world.deliver(own.pick(world.ledger.deliverable()))
      checkInvariants(world)
      if (own.chance(0.008)) await checkExits(world.fork(), own)
      if (own.chance(0.012)) await checkReordering(world, own)
    }
    log.push('end')
    await world.drain()
    checkInvariants(world)
    await checkReordering(world, dice.fork(-1))
    await checkExits(world.fork(), dice.fork(-2))
  } catch (cause) {
    throw new Failure(plan.seed, played, log, cause)
  }
  return { operations: played.length, transactions: world.ledger.transactions, seen: world.seen }
}

async function start(emulator: Executor, dice: Dice, codes: Codes, watch: Watch): Promise<World> {
  const cast = castWith([dice.chance(0.85), dice.chance(0.7)])
  const structVersion = dice.weighted([
    [1, 0],
    [1, 1],
    [1, 2],
    [8, 3],
    [2, 4],
    [2, 5],
  ])
  const { pricePerToken, workerFeePerToken } = possible(prices(dice))
  const terms: Terms = {
    structVersion,
    paramsVersion: dice.below(1_000),
    uniqueId: dice.below(1_000),
    isTest: dice.chance(0.5),
    price: pricePerToken,
    fee: workerFeePerToken,
    multipliers: multipliersOf(structVersion),
    proxyDelay: delays(dice),
    clientDelay: delays(dice),
    minProxyStake: structVersion === 0 ? toNano('1') : stakes(dice),
    minClientStake: structVersion === 0 ? toNano('1') : stakes(dice),
    codes: [codes.proxy, codes.worker, codes.client],
  }
  const [owner] = cast.rootOwners
  if (owner === undefined) throw new RangeError('a network needs an owner')
  const root: RootModel = {
    kind: 'root',
    code: codes.root,
    owner: addressOf(owner.key),
    version: 0,
    proxyHashes: new Set(),
    entries: new Map(),
    lastSeqno: 0,
    workerHashes: new Set(),
    modelHashes: new Set(),
    terms,
    manager: structVersion >= 4 ? { keys: new Map(), key: 0n, image: 0n, entry: Buffer.alloc(0) } : null,
    verified: structVersion >= 5 ? NO_VERIFIED_KEYS : null,
  }
  return World.create(emulator, cast, root, watch)
}

/** What a struct version can express. */
function multipliersOf(structVersion: number): Terms['multipliers'] {
  if (structVersion >= 3) return [10_000, 1_000, 80_000, 80_000]
  return structVersion === 2 ? [10_000, 1_000, 10_000, 80_000] : [10_000, 10_000, 10_000, 10_000]
}
