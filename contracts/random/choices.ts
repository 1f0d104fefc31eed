import { type Cell, toNano } from '@ton/core'
import { addressOf, type Key } from './account.ts'
import { type Actor, type Contract, type Operator, purse } from './cast.ts'
import type { Dice } from './dice.ts'
import { debtsOf } from './invariants.ts'
import type { Terms } from './model-layout.ts'
import type { SendOptions, World } from './world.ts'

// What operations have in common: whom to choose, how much to attach, and how to send it.

/** Does something to the world and says what, in a few words for whoever reads a failure. */
export type Operation = (world: World, dice: Dice) => Promise<string>

export const TON = toNano('1')

/** Mostly the newest terms; now and then older ones, which live on. */
export function anyTerms(world: World, dice: Dice): Terms {
  return dice.chance(0.6) ? (world.terms.at(-1) ?? world.rootModel.terms) : dice.pick(world.terms)
}

/** A proxy contract, mostly one that is there. */
export function anyProxy(world: World, dice: Dice): Contract {
  const deployed = world.deployed('proxy')
  if (deployed.length > 0 && dice.chance(deployed.length === 1 ? 0.8 : 0.93)) return dice.pick(deployed)
  return world.proxyOf(dice.pick(world.cast.operators), anyTerms(world, dice))
}

/** A client or worker contract, mostly one that is there. */
export function anyMember(kind: 'client' | 'worker', world: World, dice: Dice): Contract {
  const deployed = world.deployed(kind)
  const rich = deployed.filter((contract) => hasMoney(world, contract))
  if (rich.length > 0 && dice.chance(0.6)) return dice.pick(rich)
  if (deployed.length > 3 && dice.chance(0.75)) return dice.pick(deployed)
  const proxy = anyProxy(world, dice)
  return kind === 'client'
    ? world.clientOf(dice.pick(world.cast.clients), proxy)
    : world.workerOf(dice.pick(world.cast.workers), proxy)
}

/** Something is on its books, or can be paid to it. */
function hasMoney(world: World, contract: Contract): boolean {
  if (contract.kind === 'client') return world.client(contract).balance > 0n
  return contract.proxy !== null && debtsOf(world, contract.proxy).unearned > 0n
}

export function everyone(world: World): readonly Actor[] {
  const { clients, workers, strangers, operators, rootOwners } = world.cast
  return [...clients, ...workers, ...strangers, ...operators.map((operator) => operator.owner), ...rootOwners]
}

/** Mostly the owner. */
export function ownerOrOther(owner: Actor | null, world: World, dice: Dice): Actor {
  return owner !== null && dice.chance(0.9) ? owner : dice.pick(everyone(world))
}

/** Enough, mostly; sometimes exactly at a limit, one off, next to nothing, or far too much. */
export function attached(needed: bigint, dice: Dice): bigint {
  const atLeast = needed + TON / 10n
  return dice.weighted<bigint>([
    [20, needed + TON / 2n],
    [3, atLeast],
    [1, atLeast + 1n],
    [1, atLeast - 1n],
    [2, needed + TON / 10n + dice.upTo(TON / 5n)],
    [1, dice.upTo(atLeast)],
    [1, needed + dice.upTo(1_000_000n * TON)],
  ])
}

/** Of a deposit. */
export function amount(dice: Dice): bigint {
  return dice.weighted<bigint>([
    [12, dice.upTo(20n * TON)],
    [1, dice.upTo(5_000_000_000n * TON)],
    [1, 0n],
    [1, 1n],
  ])
}

/** Outside the network, in the masterchain, and in a workchain that does not exist. */
const ODD: readonly Actor[] = ['', '-1:', '5:'].map((place) => {
  const somebody = purse(`somebody at ${place}`)
  return { ...somebody, key: `${place}${somebody.key}` }
})

/** Sends to a contract, mostly with its StateInit, and names somebody as receiver of the surplus: mostly the sender. */
export async function sendTo(
  world: World,
  dice: Dice,
  contract: Contract,
  from: Actor,
  value: bigint,
  body: (excesses: Actor) => Cell,
): Promise<void> {
  const excesses = dice.chance(0.85) ? from : dice.chance(0.6) ? dice.pick(ODD) : dice.pick(everyone(world))
  const options: SendOptions = { excesses, bounce: dice.chance(0.95) }
  const deploys = world.models.has(contract.key) ? dice.chance(0.1) : dice.chance(0.95)
  await world.send(from, contract.key, value, body(excesses), deploys ? { ...options, deploy: contract } : options)
}

export function envelope(queryId: bigint, excesses: Actor) {
  return { queryId, excesses: addressOf(excesses.key) }
}

export function short(key: Key): string {
  return key.slice(0, 6)
}

export function tons(nano: bigint): string {
  return `${Number(nano) / 1e9} TON`
}

export function operatorOf(contract: Contract): Operator {
  if (contract.operator === null) throw new TypeError(`${contract.kind} has no operator`)
  return contract.operator
}
