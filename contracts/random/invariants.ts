import type { Key } from './account.ts'
import { Violation } from './judge.ts'
import { STORAGE } from './model-rules.ts'
import type { World } from './world.ts'

/** What a proxy contract owes, nanoton. */
export interface Debts {
  /** Balances of client contracts. */
  readonly clients: bigint
  /** Charged, and not paid to workers or credited to the owner yet. */
  readonly unearned: bigint
  readonly commission: bigint
  readonly stake: bigint
  readonly total: bigint
}

export function debtsOf(world: World, proxy: Key): Debts {
  const { balance, stake } = world.proxy(proxy)
  let clients = 0n
  let unearned = 0n
  for (const contract of world.deployed('client')) {
    if (contract.proxy !== proxy) continue
    clients += world.client(contract).balance
    unearned += world.books.client(contract.key).charged
  }
  for (const contract of world.deployed('worker')) {
    if (contract.proxy !== proxy) continue
    const { tokens, terms } = world.worker(contract)
    unearned -= tokens * terms.price
  }
  return { clients, unearned, commission: balance, stake, total: clients + unearned + balance + stake }
}

/** What has to hold whenever nothing is in flight. Throws Violation. */
export function checkInvariants(world: World) {
  world.ledger.checkTotal()
  if (world.ledger.flight.length > 0) return
  for (const contract of world.deployed('client')) {
    const { balance, used } = world.client(contract)
    const book = world.books.client(contract.key)
    if (used > book.signed) throw new Violation(`client ${contract.key} is charged ${used} tokens, ${book.signed} are signed`)
    const entitled = book.deposited - book.charged
    if (book.received + balance !== entitled) {
      const has = `received ${book.received} and has ${balance}`
      throw new Violation(`client ${contract.key.slice(0, 8)} ${has}, but ${entitled} are its own`)
    }
  }
  for (const contract of world.deployed('worker')) {
    const { tokens, terms } = world.worker(contract)
    const book = world.books.worker(contract.key)
    if (tokens > book.signed) throw new Violation(`worker ${contract.key} counts ${tokens} tokens, ${book.signed} are signed`)
    if (book.received !== tokens * terms.fee) {
      throw new Violation(`worker ${contract.key.slice(0, 8)} received ${book.received} for ${tokens} tokens at ${terms.fee}`)
    }
  }
  for (const contract of world.deployed('proxy')) checkProxy(world, contract.key, contract.operator?.honest ?? false)
  for (const actor of world.cast.strangers) {
    const { sent, received } = world.ledger.purse(actor.key)
    if (received > sent + (world.books.gifts.get(actor.key) ?? 0n)) throw new Violation(`${actor.name} gains`)
  }
}

function checkProxy(world: World, key: Key, honest: boolean) {
  const book = world.books.proxy(key)
  const { balance, stake } = world.proxy(key)
  const held = world.held(key)
  const name = `proxy ${key.slice(0, 8)}`
  let commission = 0n
  for (const contract of world.deployed('worker')) {
    const { tokens, terms } = world.worker(contract)
    if (contract.proxy === key) commission += tokens * (terms.price - terms.fee)
  }
  const own = commission + book.staked - book.forced + book.brought
  if (!book.claimed && book.paidOwner + balance + stake > own) {
    throw new Violation(`${name}: the owner got ${book.paidOwner} and has ${balance + stake}, but ${own} are its own`)
  }
  if (!honest || book.claimed || !book.founded) return
  const debts = debtsOf(world, key)
  if (debts.unearned < 0n) throw new Violation(`${name}: more was paid to workers than charged`)
  const early = book.early < STORAGE ? book.early : STORAGE
  if (held + book.unpaidRent + early < debts.total + STORAGE) {
    throw new Violation(`${name} holds ${held} and owes ${debts.total}`)
  }
}
