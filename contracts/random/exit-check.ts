import { Cell } from '@ton/core'
import { clientRequestRefund } from '../client.ts'
import { walletOwnerText } from '../cocoon-wallet.ts'
import { proxyPayoutRequest } from '../proxy.ts'
import { addressOf, type Key } from './account.ts'
import { type Actor, type Contract, purse } from './cast.ts'
import { envelope, operatorOf, short, TON } from './choices.ts'
import type { Dice } from './dice.ts'
import { checkInvariants, debtsOf } from './invariants.ts'
import { dataOf, Violation } from './judge.ts'
import { PATIENCE_SEC } from './model-client.ts'
import { CLAIM_PERIOD_SEC } from './model-proxy.ts'
import { CLOSED, CLOSING, NORMAL, STORAGE } from './model-rules.ts'
import { enveloped } from './operations-signed.ts'
import type { SignedEntry, World } from './world.ts'

/**
 * Everybody leaves. From any state every honest party must get out what it has: clients by their own requests, without
 * the proxy; workers with what was signed for them; the proxy's owner with commission and stake. The bounds:
 * - an operator who signs payouts for more than was charged can take the clients' money;
 * - what nobody has asked for within a year after closing is the proxy owner's, when the delay of clients is over too;
 * - rent that no message has paid is missing at the end, to the nanoton: whoever comes last may have to add it first;
 * - a contract that owes so much rent that it is frozen must be woken first, as anybody can with the state that it had.
 * The owner leaves at any point of this. Changes the world that it is given.
 */
export async function checkExits(world: World, dice: Dice): Promise<void> {
  await world.drain()
  const proxies = world.deployed('proxy')
  const clients = world.deployed('client')
  const workers = world.deployed('worker')
  const leaving = new Map(proxies.map((proxy) => [proxy.key, dice.below(4)]))
  // The clients of one proxy come only when the year after its closing is nearly over.
  const late = proxies.length > 0 && dice.chance(0.7) ? dice.pick(proxies) : null
  const closedAtSec = new Map<Key, number>()
  const delays = proxies.map((proxy) =>
    Math.max(world.proxy(proxy.key).terms.clientDelay, world.proxy(proxy.key).terms.proxyDelay),
  )
  const delay = Math.max(0, ...delays) + 1
  const asking = clients.filter((client) => client.proxy !== late?.key)
  for (const [phase, waiting] of [0, delay, PATIENCE_SEC, 0].entries()) {
    world.pass(waiting)
    await wakeFrozen(world)
    const steps = [
      ...asking.filter((client) => world.client(client).balance > 0n).map((client) => () => askForRefund(world, client)),
      ...workers.map((worker) => () => askForPay(world, worker)),
      ...proxies.filter((proxy) => leaving.get(proxy.key) === phase).map((proxy) => () => closeProxy(world, proxy, closedAtSec)),
      ...proxies.map((proxy) => () => claim(world, proxy, closedAtSec)),
    ]
    for (const step of dice.shuffled(steps)) await step()
    if (phase === 2) await addMissing(world, proxies)
  }
  if (late !== null) await askLate(world, late, closedAtSec)
  for (const client of clients) checkClient(world, client)
  for (const worker of workers) checkWorker(world, worker)
  world.pass(CLAIM_PERIOD_SEC + delay)
  await wakeFrozen(world)
  for (const proxy of proxies) await checkOwner(world, proxy)
  checkInvariants(world)
}

/** Proxy contracts that owe so much rent that the next message would freeze them get it paid, with the state that they had. */
async function wakeFrozen(world: World) {
  const anybody = purse('anybody')
  for (const proxy of world.deployed('proxy')) {
    if (world.held(proxy.key) >= TON) continue
    const trial = world.fork()
    await trial.send(anybody, proxy.key, TON, Cell.EMPTY)
    await trial.drain()
    const { status, due } = trial.ledger.account(proxy.key)
    if (status === 'active') continue
    if (status === 'none') {
      // One that was never used is gone with the first message that returns, and so is what it owed.
      await world.send(anybody, proxy.key, TON, Cell.EMPTY)
      await world.drain()
    }
    const init = { ...proxy.init, data: dataOf(world.model(proxy)) }
    // A little more: receiving costs gas.
    await world.send(anybody, proxy.key, due + TON / 100n, Cell.EMPTY, { deploy: { ...proxy, init }, bounce: false })
    await world.drain()
    if (world.ledger.account(proxy.key).status !== 'active') throw new Violation(`proxy ${short(proxy.key)} cannot be woken`)
  }
}

/** Whether the contract of this proxy can be held to its promises. */
function isSound(world: World, proxy: Key | null): proxy is Key {
  if (proxy === null || !world.models.has(proxy)) return false
  return world.contracts.get(proxy)?.operator?.honest === true && !world.books.proxy(proxy).claimed
}

async function askForRefund(world: World, client: Contract) {
  const { owner } = client
  if (owner === null) throw new TypeError('a client without an owner')
  await getReady(world, owner)
  await world.send(owner, client.key, TON, clientRequestRefund(envelope(1n, owner)))
  await world.drain()
}

async function askForPay(world: World, worker: Contract) {
  const entry = latestPayout(world, worker)
  if (entry === null) return
  const anybody = purse('anybody')
  await world.send(anybody, worker.key, TON, enveloped(entry, anybody), { deploy: worker })
  await world.drain()
}

/** The signed message that a worker would send: the one with the largest total, if that is more than was paid. */
function latestPayout(world: World, worker: Contract): SignedEntry | null {
  let latest: SignedEntry | null = null
  for (const entry of world.signed) {
    if (entry.contract !== worker.key || !entry.isTrue) continue
    if ((entry.payload.tokens ?? 0n) > (latest?.payload.tokens ?? world.worker(worker).tokens)) latest = entry
  }
  return latest
}

/** A node's wallet must be able to send: that is its owner's business. */
async function getReady(world: World, actor: Actor) {
  if (actor.kind === 'purse') return
  const bank = purse('bank')
  await world.send(bank, actor.key, 1_000n * TON, Cell.EMPTY, { bounce: false })
  if (actor.kind === 'node') await world.send(purse(`${actor.name} owner`), actor.key, TON, walletOwnerText('u'))
  await world.drain()
}

async function closeProxy(world: World, proxy: Contract, closedAtSec: Map<Key, number>) {
  const operator = operatorOf(proxy)
  const contract = addressOf(proxy.key)
  const { owner } = operator
  const send = async (kind: 'proxy-close-request' | 'proxy-close-complete') => {
    await world.send(owner, proxy.key, TON, enveloped(world.sign(operator, { kind, queryId: 2n, contract }), owner))
    await world.drain()
  }
  if (world.proxy(proxy.key).state === NORMAL) {
    await send('proxy-close-request')
    world.pass(world.proxy(proxy.key).terms.proxyDelay)
  }
  if (world.proxy(proxy.key).state !== CLOSED) {
    world.ledger.nowSec = Math.max(world.ledger.nowSec, world.proxy(proxy.key).unlock)
    const { balance, stake } = world.proxy(proxy.key)
    const before = world.ledger.purse(owner.key).received
    await send('proxy-close-complete')
    closedAtSec.set(proxy.key, world.ledger.nowSec)
    const got = world.ledger.purse(owner.key).received - before
    if (isSound(world, proxy.key) && got < balance + stake) {
      throw new Violation(`the owner of proxy ${short(proxy.key)} gets ${got} of commission ${balance} and stake ${stake}`)
    }
  }
}

/** The owner tries to have what nobody has claimed; not before everybody who asked within a year after closing could get it. */
async function claim(world: World, proxy: Contract, closedAtSec: ReadonlyMap<Key, number>) {
  if (world.proxy(proxy.key).state !== CLOSED) return
  const wasSound = isSound(world, proxy.key)
  const anybody = purse('anybody')
  await world.send(anybody, proxy.key, TON, proxyPayoutRequest(envelope(4n, anybody)))
  await world.drain()
  if (!wasSound || !world.books.proxy(proxy.key).claimed) return
  const closed = closedAtSec.get(proxy.key)
  if (closed === undefined) return
  for (const client of world.deployed('client')) {
    if (client.proxy !== proxy.key) continue
    const { state, balance, unlock, terms } = world.client(client)
    const isLocked = state === CLOSING && balance > 0n && unlock >= world.ledger.nowSec
    if (isLocked && unlock - terms.clientDelay < closed + CLAIM_PERIOD_SEC) {
      throw new Violation(`proxy ${short(proxy.key)} is emptied while client ${short(client.key)} waits for its ${balance}`)
    }
  }
}

/** The clients of a closed proxy ask in the last second in which they are in time, and come again when their delay is over. */
async function askLate(world: World, proxy: Contract, closedAtSec: Map<Key, number>) {
  const clients = world.deployed('client').filter((client) => client.proxy === proxy.key)
  const ask = async () => {
    await wakeFrozen(world)
    await addMissing(world, [proxy])
    for (const client of clients) if (world.client(client).balance > 0n) await askForRefund(world, client)
  }
  const closed = closedAtSec.get(proxy.key) ?? world.ledger.nowSec
  world.ledger.nowSec = Math.max(world.ledger.nowSec, closed + CLAIM_PERIOD_SEC - 1)
  await ask()
  world.pass(1)
  await claim(world, proxy, closedAtSec)
  world.pass(world.proxy(proxy.key).terms.clientDelay)
  await ask()
  // What the rent of the last moments took from whoever came last is added, and asked for again.
  await ask()
}

/** Makes up for rent that no message has paid. No more than that may be missing. */
async function addMissing(world: World, proxies: readonly Contract[]) {
  for (const proxy of proxies) {
    if (!isSound(world, proxy.key)) continue
    const { balance, due } = world.ledger.account(proxy.key)
    const missing = debtsOf(world, proxy.key).total + due - balance
    if (missing <= 0n) continue
    const rent = world.books.proxy(proxy.key).unpaidRent + due
    if (missing > rent) throw new Violation(`proxy ${short(proxy.key)} lacks ${missing}, of which ${rent} are rent`)
    // Receiving costs gas, and that comes out of what is received.
    await world.send(purse('anybody'), proxy.key, missing + TON / 100n, Cell.EMPTY, { bounce: false })
  }
  await world.drain()
}

function checkClient(world: World, client: Contract) {
  const { balance } = world.client(client)
  if (balance > 0n && isSound(world, client.proxy)) throw new Violation(`client ${short(client.key)} cannot get its ${balance}`)
}

function checkWorker(world: World, worker: Contract) {
  const { tokens, terms } = world.worker(worker)
  const { signed } = world.books.worker(worker.key)
  if (tokens < signed && isSound(world, worker.proxy)) {
    throw new Violation(`worker ${short(worker.key)} is paid for ${tokens} of ${signed} tokens at ${terms.fee}`)
  }
}

/** After everybody else nothing may be left that nobody can have. */
async function checkOwner(world: World, proxy: Contract) {
  if (!isSound(world, proxy.key)) return
  if (world.proxy(proxy.key).state !== CLOSED) throw new Violation(`proxy ${short(proxy.key)} cannot be closed`)
  const anybody = purse('anybody')
  // A request pays the rent of the time before it, even if that was owed, and leaves as much there until the next one.
  for (let turn = 0; turn < 3; turn += 1) {
    await world.send(anybody, proxy.key, TON, proxyPayoutRequest(envelope(3n, anybody)))
    await world.drain()
  }
  const held = world.held(proxy.key)
  if (held > STORAGE) throw new Violation(`proxy ${short(proxy.key)} keeps ${held} for ever`)
}
