import { beginCell, type Cell } from '@ton/core'
import { ROOT_OPS, type RootRequest, rootRequest } from '../root.ts'
import { signKeyRegistration } from '../root-keys.ts'
import { addressOf } from './account.ts'
import { everyone, type Operation, TON, tons } from './choices.ts'
import type { Dice } from './dice.ts'
import { keyNamed } from './keys.ts'
import type { Terms } from './model-layout.ts'
import { type RootModel, rootData } from './model-root.ts'
import type { World } from './world.ts'

// What the owner of the network asks of the root contract, and what others try.

/** More sets of terms than these in one sequence would only spread the operations thin. */
const MOST_TERMS = 3
const YEAR_SEC = 365 * 86_400

function hash(dice: Dice): Buffer {
  // Few different hashes, so that additions meet what is there and removals find something.
  return Buffer.alloc(32, dice.below(6))
}

function endpoints(dice: Dice) {
  const at = { host: `10.0.0.${dice.below(256)}`, port: 1 + dice.below(65_535) }
  return { forWorkers: at, forClients: dice.chance(0.5) ? at : { ...at, port: 1 + dice.below(65_535) } }
}

/** Prices, sometimes none, sometimes with nothing for the proxy, sometimes impossible. */
export function prices(dice: Dice) {
  const price = dice.weighted<bigint>([
    [8, 200_000n],
    [3, 20n],
    [3, 1n + dice.upTo(10_000_000n)],
    [1, 0n],
  ])
  const fee = dice.weighted<bigint>([
    [8, (price * 3n) / 4n],
    [2, dice.upTo(price)],
    [1, price],
    [1, price + 1n],
  ])
  return { pricePerToken: price, workerFeePerToken: fee }
}

/** With a fee that workers can be paid. */
export function possible(asked: ReturnType<typeof prices>) {
  const { pricePerToken, workerFeePerToken } = asked
  return workerFeePerToken > pricePerToken ? { pricePerToken, workerFeePerToken: pricePerToken } : asked
}

export function delays(dice: Dice): number {
  return dice.weighted([
    [8, 30 + dice.below(600)],
    [2, 86_400],
    [1, 0],
    [1, 1],
  ])
}

/** A delay that a root may be asked for: now and then the longest, one second more, or one that no clock reaches. */
function askedDelay(dice: Dice): number {
  return dice.chance(0.85) ? delays(dice) : dice.pick([YEAR_SEC, YEAR_SEC + 1, 2 ** 32 - 1])
}

export function stakes(dice: Dice): bigint {
  return dice.weighted<bigint>([
    [6, TON],
    [3, dice.upTo(15n * TON)],
    [1, 0n],
  ])
}

/** An operation that changes the terms, when there are not too many yet. */
function newTerms(world: World, dice: Dice): RootRequest {
  if (world.terms.length >= MOST_TERMS) return listRequest(world, dice)
  const { structVersion, codes } = world.rootModel.terms
  const [proxy, worker, client] = codes
  return dice.weighted<RootRequest>([
    [4, { op: 'changePrice', ...prices(dice) }],
    [
      4,
      {
        op: 'changeParams',
        ...possible(prices(dice)),
        proxyDelaySec: askedDelay(dice),
        clientDelaySec: askedDelay(dice),
        minProxyStake: structVersion === 0 && dice.chance(0.8) ? TON : stakes(dice),
        minClientStake: structVersion === 0 && dice.chance(0.8) ? TON : stakes(dice),
      },
    ],
    [2, { op: 'upgradeContracts', proxy, worker, client }],
  ])
}

function listRequest(world: World, dice: Dice): RootRequest {
  const seqno = dice.chance(0.8) ? 1 + dice.below(world.rootModel.lastSeqno + 1) : dice.below(2 ** 32)
  return dice.pick<RootRequest>([
    { op: 'addWorkerHash', hash: hash(dice) },
    { op: 'delWorkerHash', hash: hash(dice) },
    { op: 'addModelHash', hash: hash(dice) },
    { op: 'delModelHash', hash: hash(dice) },
    { op: 'addProxyHash', hash: hash(dice) },
    { op: 'delProxyHash', hash: hash(dice) },
    { op: 'registerProxy', endpoints: endpoints(dice) },
    { op: 'registerProxy', endpoints: endpoints(dice) },
    { op: 'unregisterProxy', seqno },
    { op: 'updateProxy', seqno, endpoints: endpoints(dice) },
    { op: 'reset' },
  ])
}

function ownerRequest(world: World, dice: Dice): RootRequest {
  const owner = dice.pick(world.cast.rootOwners)
  return dice.weighted<RootRequest>([
    [1, { op: 'changeOwner', owner: addressOf(owner.key) }],
    [1, { op: 'upgradeCode', code: world.codes.root }],
    [2, fullUpgrade(world, dice)],
  ])
}

/** Puts other terms in place as a whole: the only way to change multipliers. */
function fullUpgrade(world: World, dice: Dice): RootRequest {
  const now = world.rootModel
  const isNew = world.terms.length < MOST_TERMS
  const multipliers = [10_000, dice.below(20_000), dice.below(100_000), dice.below(100_000)] as const
  const terms: Terms =
    isNew && now.terms.structVersion >= 3 ? { ...now.terms, paramsVersion: now.terms.paramsVersion + 1, multipliers } : now.terms
  const draft: RootModel = { ...now, version: now.version + dice.below(3), terms }
  const data = rootData(draft)
  world.drafts.set(data.hash().toString('hex'), draft)
  return { op: 'fullUpgrade', data, code: world.codes.root }
}

function ofRoot(name: string, make: (world: World, dice: Dice) => RootRequest): Operation {
  return async (world, dice) => {
    const request = make(world, dice)
    const body = dice.chance(0.95) ? bodyOf(dice, request) : spoiled(dice, bodyOf(dice, request))
    return `${name} ${request.op}, ${await sendToRoot(world, dice, body)}`
  }
}

/** The wrappers refuse to write a fee above the price and delays above a year; the contract must refuse to read them. */
function bodyOf(dice: Dice, request: RootRequest): Cell {
  const queryId = dice.bits(64)
  if (request.op !== 'changePrice' && request.op !== 'changeParams') return rootRequest(queryId, request)
  const cell = beginCell()
    .storeUint(ROOT_OPS[request.op], 32)
    .storeUint(queryId, 64)
    .storeCoins(request.pricePerToken)
    .storeCoins(request.workerFeePerToken)
  if (request.op === 'changePrice') return cell.endCell()
  return cell
    .storeUint(request.proxyDelaySec, 32)
    .storeUint(request.clientDelaySec, 32)
    .storeCoins(request.minProxyStake)
    .storeCoins(request.minClientStake)
    .endCell()
}

async function sendToRoot(world: World, dice: Dice, body: Cell): Promise<string> {
  const owner = world.cast.rootOwners.find((actor) => addressOf(actor.key).equals(world.rootModel.owner))
  const from = owner !== undefined && dice.chance(0.9) ? owner : dice.pick(everyone(world))
  const value = dice.chance(0.9) ? TON / 2n : dice.upTo(TON / 5n)
  await world.send(from, world.root.key, value, body, { excesses: from })
  return `by ${from.name} with ${tons(value)}`
}

/** Too short, or with something after the end. */
function spoiled(dice: Dice, body: Cell): Cell {
  if (dice.chance(0.5)) return beginCell().storeSlice(body.beginParse()).storeUint(0, 1).endCell()
  return beginCell()
    .storeBits(body.beginParse().loadBits(dice.below(body.bits.length)))
    .endCell()
}

/** The owner's words about the key manager of newer struct versions. */
const keyManagerByOwner: Operation = async (world, dice) => {
  const queryId = dice.bits(64)
  if (dice.chance(0.6))
    return `list a key, ${await sendToRoot(world, dice, storeKey(0x6e5a646a, queryId, keyEntry(world, dice)))}`
  const cell = beginCell().storeUint(0xb01c0fe9, 32).storeUint(queryId, 64)
  cell.storeBuffer(dice.chance(0.9) ? keyNamed('key manager').publicKey : Buffer.alloc(32))
  const text = Buffer.from(dice.chance(0.5) ? '' : '10.1.1.1:13001')
  const body = cell.storeBuffer(hash(dice)).storeUint(0, 1).storeUint(text.length, 7).storeBuffer(text).endCell()
  return `change key manager, ${await sendToRoot(world, dice, body)}`
}

/** What the key manager signed itself, or somebody else, sent by anybody. */
const keyManagerSigned: Operation = async (world, dice) => {
  const signer = keyNamed(dice.pick(['key manager', 'key manager', 'key manager', 'nobody']))
  const { publicKey, expiresAtSec } = keyEntry(world, dice)
  const from = dice.pick(world.cast.strangers)
  const to = dice.pick(world.cast.strangers)
  const entry = { queryId: dice.bits(64), publicKey, type: 1, expiresAtSec }
  await world.send(from, world.root.key, TON, signKeyRegistration(entry, addressOf(to.key), signer.sign), { excesses: to })
  return `key registration by ${from.name}`
}

/** Few different keys; half of them have expired or will soon. */
function keyEntry(world: World, dice: Dice) {
  return {
    publicKey: Buffer.alloc(32, dice.below(5)),
    expiresAtSec: Math.max(0, world.ledger.nowSec - 50_000 + dice.below(100_000)),
  }
}

function storeKey(op: number, queryId: bigint, entry: ReturnType<typeof keyEntry>): Cell {
  const head = beginCell().storeUint(op, 32).storeUint(queryId, 64).storeBuffer(entry.publicKey)
  return head.storeUint(1, 8).storeUint(entry.expiresAtSec, 32).endCell()
}

export const ROOT_OPERATIONS: readonly (readonly [number, Operation])[] = [
  [3, ofRoot('root list', listRequest)],
  [2, ofRoot('root terms', newTerms)],
  [1, ofRoot('root whole', ownerRequest)],
  [1, keyManagerByOwner],
  [1, keyManagerSigned],
]
