import { beginCell, Cell, internal } from '@ton/core'
import { walletOwnerSend, walletOwnerText } from '../cocoon-wallet.ts'
import { stateCommitMemo } from '../proxy.ts'
import { clientRequestMessage, refundUnpaidMessage, workerRequestMessage } from '../proxy-requests.ts'
import { addressOf } from './account.ts'
import type { Actor } from './cast.ts'
import { purse } from './cast.ts'
import { amount, anyMember, anyProxy, everyone, type Operation, sendTo, short, TON, tons } from './choices.ts'
import type { Dice } from './dice.ts'
import { internalParcel } from './ledger.ts'
import type { World } from './world.ts'

// Time, dust, garbage, forged requests, and the node wallets' own operations.

export const YEAR_SEC = 365 * 86_400
/** Any longer, and contracts that nobody writes to are frozen one after the other. */
export const LATEST_SEC = 1_800_000_000 + 4 * YEAR_SEC

const timePasses: Operation = async (world, dice) => {
  const seconds = dice.weighted([
    [10, dice.below(60)],
    [4, 30 + dice.below(700)],
    [2, 86_400],
    [1, 31 * 86_400],
    [1, dice.below(YEAR_SEC + 86_400)],
  ])
  if (world.ledger.nowSec + seconds > LATEST_SEC) return 'no time left'
  world.pass(seconds)
  return `${seconds} s pass`
}

/** To the second at which something unlocks, one before or one after. */
const toTheLimit: Operation = async (world, dice) => {
  const limits: number[] = []
  for (const model of world.models.values()) {
    if (model.kind === 'client' || model.kind === 'proxy') limits.push(model.unlock - 1, model.unlock, model.unlock + 1)
    if (model.kind === 'client') limits.push(model.unlock + 30 * 86_400 - 1, model.unlock + 30 * 86_400)
  }
  const ahead = limits.filter((limit) => limit > world.ledger.nowSec && limit < LATEST_SEC)
  if (ahead.length === 0) return 'nothing to wait for'
  const until = dice.pick(ahead)
  world.ledger.nowSec = until
  return `time is ${until}`
}

function contractFor(world: World, dice: Dice) {
  return dice.chance(0.2)
    ? world.root
    : dice.chance(0.4)
      ? anyProxy(world, dice)
      : anyMember(dice.pick(['client', 'worker']), world, dice)
}

/** Any amount without a word, also to contracts that are not there yet. */
const gives: Operation = async (world, dice) => {
  const contract = contractFor(world, dice)
  const from = dice.pick(everyone(world))
  const value = dice.weighted<bigint>([
    [4, dice.upTo(TON)],
    [3, dice.upTo(1_000n)],
    [1, 0n],
  ])
  await world.send(from, contract.key, value, Cell.EMPTY, {
    deploy: dice.chance(0.4) ? contract : undefined,
    bounce: dice.chance(0.5),
  })
  return `${from.name} gives ${tons(value)} to ${contract.kind} ${short(contract.key)}`
}

/** Bodies that nobody speaks: short, random, unknown, memos, answers that nobody asked for. */
const talks: Operation = async (world, dice) => {
  const contract = contractFor(world, dice)
  const from = dice.pick(everyone(world))
  const queryId = dice.bits(64)
  const withHead = (op: number) => beginCell().storeUint(op, 32).storeUint(queryId, 64)
  const body = dice.pick<() => Cell>([
    () => beginCell().storeUint(dice.bits(31), 31).endCell(),
    () => beginCell().storeUint(dice.bits(32), 32).endCell(),
    () =>
      withHead(Number(dice.bits(32)))
        .storeUint(dice.bits(200), 200)
        .endCell(),
    () => withHead(0x29111ceb).storeCoins(1).storeAddress(addressOf(from.key)).endCell(),
    () => withHead(0x2565934c).endCell(),
    () => withHead(0xc59a7cd3).endCell(),
    () => beginCell().storeUint(0, 32).storeStringTail('hello').endCell(),
    () => beginCell().storeRef(Cell.EMPTY).endCell(),
    () => stateCommitMemo({ queryId, seqno: dice.below(1_000), sessionHash: Buffer.alloc(32, 7) }),
    () => beginCell().storeUint(0x9a1247c0, 32).endCell(),
  ])()
  const value = dice.chance(0.5) ? TON / 2n : dice.upTo(TON)
  await world.send(from, contract.key, value, body, {
    deploy: dice.chance(0.3) ? contract : undefined,
    bounce: dice.chance(0.8),
    excesses: from,
  })
  return `${from.name} talks to ${contract.kind} ${short(contract.key)} with ${tons(value)}`
}

/** What only client and worker contracts may tell a proxy contract, or a proxy contract a client contract. */
const pretends: Operation = async (world, dice) => {
  const from = dice.pick(everyone(world))
  const excesses = addressOf(from.key)
  const owner = addressOf(dice.pick(everyone(world)).key)
  const queryId = dice.bits(64)
  const money = amount(dice)
  const state = dice.pick(['normal', 'closing', 'closed'] as const)
  const common = { queryId, owner, state }
  const kind = dice.pick(['top-up', 'refund-granted', 'refund-force'] as const)
  const account = { balance: money, stake: 0n, tokensUsed: 0n, secretHash: Buffer.alloc(32) }
  const payload = dice.chance(0.1) ? null : ({ kind, amount: money, excesses } as const)
  const parts = { workerPart: money, proxyPart: dice.upTo(money), excesses }
  if (dice.chance(0.2)) {
    const contract = anyMember('client', world, dice)
    const unpaid = refundUnpaidMessage({ queryId, amount: money, excesses })
    await sendTo(world, dice, contract, from, TON, () => unpaid)
    return `${from.name} pretends that ${short(contract.key)} was not paid ${money}`
  }
  const proxy = anyProxy(world, dice)
  const body = dice.chance(0.5)
    ? clientRequestMessage({ ...common, ...account, payload })
    : workerRequestMessage({ ...common, tokens: 1n, payload: dice.chance(0.1) ? null : { kind: 'payout', ...parts } })
  await sendTo(world, dice, proxy, from, money + TON, () => body)
  return `${from.name} pretends to be a member of ${short(proxy.key)} for ${money}`
}

/** A message of somebody's that bounced back from nowhere: no contract ever sent it. */
const bounces: Operation = async (world, dice) => {
  const contract = contractFor(world, dice)
  const from = dice.pick(world.cast.strangers)
  const value = dice.upTo(TON)
  const body = beginCell().storeUint(0xffffffff, 32).storeUint(dice.bits(96), 96).endCell()
  world.ledger.purses.set(from.key, { ...world.ledger.purse(from.key), sent: world.ledger.purse(from.key).sent + value })
  world.ledger.push(internalParcel(from.key, contract.key, value, body, { bounce: false, bounced: true }))
  return `a bounced message with ${tons(value)} at ${contract.kind} ${short(contract.key)}`
}

/** Orders to a node's wallet that it must refuse, and what its owner or a stranger may say to it. */
const wallets: Operation = async (world, dice) => {
  const nodes = [...world.cast.clients, ...world.cast.workers].filter((actor) => actor.kind === 'node')
  const node = dice.pick(nodes)
  const owner = purse(`${node.name} owner`)
  if (world.held(node.key) < 100n * TON) {
    await world.send(owner, node.key, 1_000_000n * TON, Cell.EMPTY, { bounce: false })
    return `${node.name} gets money again`
  }
  const to = addressOf(dice.pick(world.cast.strangers).key)
  const transfers = Array.from({ length: 1 + dice.below(4) }, () => ({
    message: internal({ to, value: 1n + dice.upTo(TON / 100n), bounce: false }),
    mode: 1,
  }))
  for (const transfer of transfers) {
    const value = transfer.message.info.type === 'internal' ? transfer.message.info.value.coins : 0n
    world.books.gift(keyOfAddress(to), value)
  }
  if (dice.chance(0.5)) {
    const { seqno } = world.model(node.contract) as { seqno: number }
    const wrong = dice.pick([
      {},
      { seqno: seqno + 1 },
      { seqno: Math.max(0, seqno - 1) },
      { validUntilSec: world.ledger.nowSec },
      { validUntilSec: world.ledger.nowSec + 1 },
      { signer: nodes.find((other) => other !== node) ?? node },
    ])
    await world.order(node, transfers, wrong)
    return `order to ${node.name} ${JSON.stringify(Object.keys(wrong))}`
  }
  const from: Actor = dice.chance(0.8) ? owner : dice.pick(world.cast.strangers)
  const said = dice.weighted([
    [3, 'u'],
    [1, 'b'],
    [1, 'w'],
    [3, 'send'],
    [1, '?'],
  ])
  const [transfer] = transfers
  if (transfer === undefined) throw new RangeError('no transfer')
  const body =
    said === 'send'
      ? walletOwnerSend(1n, transfer)
      : said === 'w' || said === 'b' || said === 'u'
        ? walletOwnerText(said)
        : beginCell().storeUint(0, 32).storeStringTail('?').endCell()
  await world.send(from, node.key, TON / 2n, body)
  return `${from.name} says ${said} to ${node.name}`
}

function keyOfAddress(address: ReturnType<typeof addressOf>): string {
  return address.hash.toString('hex')
}

export const NOISE_OPERATIONS: readonly (readonly [number, Operation])[] = [
  [9, timePasses],
  [5, toTheLimit],
  [3, gives],
  [4, talks],
  [3, pretends],
  [1, bounces],
  [3, wallets],
]
