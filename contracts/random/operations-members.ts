import type { Cell } from '@ton/core'
import {
  clientChangeSecret,
  clientChangeSecretAndTopUp,
  clientIncreaseStake,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  clientWithdraw,
} from '../client.ts'
import { proxyIncreaseStake, proxyOwnerClose, proxyPayoutRequest, proxyText } from '../proxy.ts'
import { workerRegister } from '../worker.ts'
import type { Actor, Contract } from './cast.ts'
import {
  amount,
  anyMember,
  anyProxy,
  attached,
  envelope,
  everyone,
  type Operation,
  ownerOrOther,
  sendTo,
  short,
  TON,
  tons,
} from './choices.ts'
import type { Dice } from './dice.ts'
import type { World } from './world.ts'

// What owners ask of client, worker and proxy contracts; sometimes somebody else tries.

type Envelope = ReturnType<typeof envelope>

/** An operation on a contract of one owner. `money` is what the message must bring beside the commission. */
function asked(
  name: string,
  choose: (world: World, dice: Dice) => Contract,
  make: (
    dice: Dice,
    contract: Contract,
    world: World,
  ) => { readonly body: (envelope: Envelope) => Cell; readonly money?: bigint; readonly by?: Actor },
): Operation {
  return async (world, dice) => {
    const contract = choose(world, dice)
    const { body, money = 0n, by } = make(dice, contract, world)
    const from = by ?? ownerOrOther(contract.owner, world, dice)
    const value = attached(money, dice)
    const queryId = dice.bits(64)
    await sendTo(world, dice, contract, from, value, (excesses) => body(envelope(queryId, excesses)))
    return `${name} ${short(contract.key)} by ${from.name} with ${tons(value)}${money > 0n ? ` for ${money}` : ''}`
  }
}

const client = (world: World, dice: Dice) => anyMember('client', world, dice)
const worker = (world: World, dice: Dice) => anyMember('worker', world, dice)
const MOST_COINS = (1n << 120n) - 1n
const least = (a: bigint, b: bigint) => (a < b ? a : b)
const secretOf = (dice: Dice) => Buffer.from(dice.bits(256).toString(16).padStart(64, '0'), 'hex')

export const MEMBER_OPERATIONS: readonly (readonly [number, Operation])[] = [
  [
    24,
    asked('top up', client, (dice, _, world) => {
      const money = amount(dice)
      const body = (to: Envelope) => clientTopUp(to, money)
      return dice.chance(0.7) ? { money, body } : { money, body, by: dice.pick(everyone(world)) }
    }),
  ],
  [
    3,
    asked('change secret and top up', client, (dice) => {
      const money = amount(dice)
      return { money, body: (to) => clientChangeSecretAndTopUp(to, secretOf(dice), money) }
    }),
  ],
  [3, asked('change secret', client, (dice) => ({ body: (to) => clientChangeSecret(to, secretOf(dice)) }))],
  [3, asked('register client', client, (dice) => ({ body: (to) => clientRegister(to, dice.bits(64)) }))],
  [
    3,
    asked('raise client stake', client, (dice, contract, world) => {
      const now = world.client(contract).stake
      const next = dice.weighted<bigint>([
        [6, least(now + dice.upTo(3n * TON), MOST_COINS)],
        [1, least(now + 1n, MOST_COINS)],
        [1, dice.upTo(now)],
        [1, MOST_COINS],
      ])
      return { body: (to) => clientIncreaseStake(to, next) }
    }),
  ],
  [7, asked('withdraw', client, () => ({ body: clientWithdraw }))],
  [9, asked('request refund', client, () => ({ body: clientRequestRefund }))],
  [3, asked('register worker', worker, () => ({ body: workerRegister }))],
  [4, asked('payout request', anyProxy, (dice, _, world) => ({ body: proxyPayoutRequest, by: dice.pick(everyone(world)) }))],
  [
    5,
    asked('raise proxy stake', anyProxy, (dice, contract, world) => {
      const money = amount(dice)
      const by = dice.chance(0.7) && contract.owner !== null ? contract.owner : dice.pick(everyone(world))
      return { money, body: (to) => proxyIncreaseStake(to, money), by }
    }),
  ],
  [1, asked('owner close', anyProxy, () => ({ body: proxyOwnerClose }))],
  [2, asked('text w', anyProxy, () => ({ body: () => proxyText('w') }))],
  [1, asked('text c', anyProxy, () => ({ body: () => proxyText('c') }))],
]
