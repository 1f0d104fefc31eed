import { Cell } from '@ton/core'
import type { Key } from './account.ts'
import { type Contract, purse } from './cast.ts'
import { operatorOf, short, TON } from './choices.ts'
import type { Dice } from './dice.ts'
import { checkInvariants, debtsOf } from './invariants.ts'
import { dataOf, Violation } from './judge.ts'
import { STORAGE } from './model-rules.ts'
import { enveloped } from './operations-signed.ts'
import type { SignedEntry, World } from './world.ts'

const MOST_ENTRIES = 8

/**
 * What an honest operator has signed, delivered in order and once each, and delivered by somebody else in any order, again
 * and again, overlapping, with everything but the last word left out: in the end everybody has the same, except for the one
 * who played with it, who paid for that.
 */
export async function checkReordering(world: World, dice: Dice): Promise<void> {
  const base = world.fork()
  await base.drain()
  const chosen: SignedEntry[] = []
  for (const entry of choose(base, dice)) if (await runs(base, entry.contract)) chosen.push(entry)
  if (chosen.length === 0) return
  const orderly = base.fork()
  const sender = purse('orderly sender')
  for (const entry of chosen) {
    await orderly.send(sender, entry.contract, TON, enveloped(entry, sender), { deploy: contractOf(base, entry) })
    await orderly.drain()
  }

  const replayed = base.fork()
  const player = purse('player')
  for (const entry of dice.shuffled(chosen.flatMap((entry) => copies(chosen, entry, dice)))) {
    await replayed.send(player, entry.contract, TON, enveloped(entry, player), { deploy: contractOf(base, entry) })
    if (dice.chance(0.5)) await replayed.drain((possible) => dice.pick(possible))
  }
  await replayed.drain((possible) => dice.pick(possible))
  checkInvariants(replayed)
  compare(orderly, replayed, chosen)
}

/**
 * Whether the next message runs. A contract that owes rent of many years is frozen by it and returns it; if it was never used, the next one wakes it. So
 * there it matters how often something is sent, which is not the question here.
 */
async function runs(world: World, key: Key): Promise<boolean> {
  const { status } = world.ledger.account(key)
  if (status !== 'active') return status !== 'frozen'
  const trial = world.fork()
  await trial.send(purse('anybody'), key, TON, Cell.EMPTY)
  await trial.drain()
  return trial.ledger.account(key).status === 'active'
}

function contractOf(world: World, entry: SignedEntry): Contract {
  const contract = world.contracts.get(entry.contract)
  if (contract === undefined) throw new RangeError('signed for no contract')
  return contract
}

/** Signed messages for clients and workers of honest operators whose contracts can pay, in order of signing. */
function choose(world: World, dice: Dice): SignedEntry[] {
  const sound = new Set<Key>()
  for (const proxy of world.deployed('proxy')) {
    const isShort = world.held(proxy.key) < debtsOf(world, proxy.key).total + STORAGE
    if (operatorOf(proxy).honest && !isShort && !world.books.proxy(proxy.key).claimed) sound.add(proxy.key)
  }
  const usable = world.signed.filter((entry) => {
    const contract = world.contracts.get(entry.contract)
    return entry.isTrue && entry.payload.tokens !== undefined && sound.has(contract?.proxy ?? '')
  })
  // The last words are what counts: without them the rest is a different story.
  const last = new Set(usable.filter((entry) => isLastWord(usable, entry)))
  const others = dice.shuffled(usable.filter((entry) => !last.has(entry))).slice(0, MOST_ENTRIES)
  return usable.filter((entry) => last.has(entry) || others.includes(entry))
}

/** The largest total for its contract; of several, the one that also closes it. */
function isLastWord(entries: readonly SignedEntry[], entry: SignedEntry): boolean {
  return entries.every((other) => other === entry || other.contract !== entry.contract || weight(entry) >= weight(other))
}

function weight(entry: SignedEntry): bigint {
  const { kind, tokens = 0n } = entry.payload
  return tokens * 2n + (kind === 'client-grant-refund' || kind === 'worker-last-payout' ? 1n : 0n)
}

function copies(chosen: readonly SignedEntry[], entry: SignedEntry, dice: Dice): SignedEntry[] {
  const count = isLastWord(chosen, entry) ? 1 + dice.below(2) : dice.below(3)
  return Array.from({ length: count }, () => entry)
}

function compare(orderly: World, replayed: World, chosen: readonly SignedEntry[]) {
  const fail = (what: string) => {
    throw new Violation(`${what} after ${chosen.length} signed messages were replayed and reordered`)
  }
  for (const [key, model] of orderly.models) {
    const other = replayed.models.get(key)
    if (other === undefined || !dataOf(other).equals(dataOf(model))) fail(`${model.kind} ${short(key)} is different`)
  }
  for (const [key, book] of orderly.books.clients) {
    if (replayed.books.client(key).received !== book.received) fail(`client ${short(key)} received something else`)
  }
  for (const [key, book] of orderly.books.workers) {
    if (replayed.books.worker(key).received !== book.received) fail(`worker ${short(key)} received something else`)
  }
  const { cast } = orderly
  const honest = [...cast.clients, ...cast.workers, ...cast.operators.map((operator) => operator.owner), ...cast.strangers]
  for (const { kind, key, name } of honest) {
    if (kind === 'purse' && replayed.ledger.purse(key).received !== orderly.ledger.purse(key).received)
      fail(`${name} has another sum`)
  }
  const { sent, received } = replayed.ledger.purse(purse('player').key)
  if (received > sent) fail('the player gains')
  // Each notice leaves one nanoton at the proxy contract.
  const notices = BigInt(2 * MOST_ENTRIES + 3 * chosen.length)
  for (const proxy of orderly.deployed('proxy')) {
    const difference = replayed.held(proxy.key) - orderly.held(proxy.key)
    // Rent is paid by the first message that runs, and not at all when none does: that is nobody's gain.
    const rent = replayed.books.proxy(proxy.key).unpaidRent - orderly.books.proxy(proxy.key).unpaidRent
    const most = notices + (rent < 0n ? -rent : rent)
    if (difference > most || difference < -most) fail(`proxy ${short(proxy.key)} holds ${difference} more`)
  }
}
