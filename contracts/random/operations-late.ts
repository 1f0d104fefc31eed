import { clientRequestRefund, clientTopUp } from '../client.ts'
import { addressOf } from './account.ts'
import type { Contract } from './cast.ts'
import { envelope, everyone, type Operation, operatorOf, short, TON, tons } from './choices.ts'
import type { Dice } from './dice.ts'
import { NORMAL } from './model-rules.ts'
import { LATEST_SEC, YEAR_SEC } from './operations-noise.ts'
import { enveloped } from './operations-signed.ts'
import type { World } from './world.ts'

/** These operations may go on longer than others: the contracts that hold the money are frozen much later. */
const LAST_SEC = LATEST_SEC + 3 * YEAR_SEC
/** About what a client and its proxy contract cost in a year, and what the way through both costs, nanoton. */
const RENT_OF_A_YEAR = 66_000_000n
const WAY = 12_000_000n

/**
 * After one to three years without a message a client asks for more than is there, with little money: the rent, the way and the note
 * about what stays owed compete for it.
 */
const refundsLate: Operation = async (world, dice) => {
  const rest = LAST_SEC - world.ledger.nowSec
  if (rest < YEAR_SEC) return 'no time left'
  const contract = await owedClient(world, dice)
  if (contract === null) return 'nobody is owed enough by a bad operator'
  const { proxy, owner } = contract
  if (proxy === null || owner === null) throw new TypeError('a client without a proxy')
  await overpay(world, dice, proxy, (world.client(contract).balance * BigInt(10 + dice.below(80))) / 100n)
  const seconds = YEAR_SEC + dice.below(Math.min(rest - YEAR_SEC, 2 * YEAR_SEC) + 1)
  world.pass(seconds)
  const rent = (RENT_OF_A_YEAR * BigInt(seconds)) / BigInt(YEAR_SEC)
  const tight = rent + WAY + dice.upTo(WAY)
  const value = dice.chance(0.7) && tight > TON / 10n ? tight : TON / 10n + dice.upTo((TON * 15n) / 100n)
  const said = `${seconds} s later with ${tons(value)}`
  if (dice.chance(0.3)) {
    await world.send(owner, contract.key, value, clientRequestRefund(envelope(dice.bits(64), owner)))
    return `late refund ${short(contract.key)} by ${owner.name} ${said}`
  }
  const tokens = world.client(contract).used
  const payload = { kind: 'client-grant-refund', queryId: dice.bits(64), tokens, contract: addressOf(contract.key) } as const
  const entry = world.sign(operatorOf(contract), payload)
  const from = dice.pick(everyone(world))
  await world.send(from, contract.key, value, enveloped(entry, from), { excesses: from })
  return `late grant ${short(contract.key)} by ${from.name} ${said}`
}

/** A client with money at a proxy whose operator signs what it likes; mostly it gets some first. */
async function owedClient(world: World, dice: Dice): Promise<Contract | null> {
  const bad = world.deployed('proxy').filter((proxy) => !operatorOf(proxy).honest && world.proxy(proxy.key).state === NORMAL)
  if (bad.length === 0) return null
  const client = world.clientOf(dice.pick(world.cast.clients), dice.pick(bad))
  const from = dice.pick(world.cast.strangers)
  const amount = TON + dice.upTo(20n * TON)
  const body = clientTopUp(envelope(dice.bits(64), from), amount)
  await world.send(from, client.key, amount + TON, body, { deploy: client })
  await world.drain()
  return world.client(client).balance > TON ? client : null
}

/** The operator lets a worker have everything but `left`, whoever it belongs to. */
async function overpay(world: World, dice: Dice, proxy: string, left: bigint) {
  const contract = world.contracts.get(proxy)
  if (contract === undefined) throw new RangeError('no such proxy')
  const worker = world.workerOf(dice.pick(world.cast.workers), contract)
  const { tokens: paid, terms } = world.worker(worker)
  const held = world.held(proxy)
  if (terms.fee === 0n || held <= left) return
  const tokens = paid + (held - left) / terms.fee
  if (tokens >= 1n << 64n) return
  const payload = { kind: 'worker-payout', queryId: dice.bits(64), tokens, contract: addressOf(worker.key) } as const
  const entry = world.sign(operatorOf(worker), payload)
  const from = dice.pick(everyone(world))
  await world.send(from, worker.key, TON, enveloped(entry, from), { deploy: worker, excesses: from })
  await world.drain()
}

export const LATE_OPERATIONS: readonly (readonly [number, Operation])[] = [[4, refundsLate]]
