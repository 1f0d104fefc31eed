import type { Key } from './account.ts'
import type { Contract } from './cast.ts'
import { type Model, Violation } from './judge.ts'
import type { Step } from './ledger.ts'
import type { ClientModel, WorkerModel } from './model-layout.ts'

// Who may have how much, from what arrived and what was signed, without the rules of the contracts: if a rule itself
// gives money away, the model agrees with the contract, and only these books do not.

export interface ClientBook {
  readonly proxy: Key
  /** Asked to be put on the balance, by messages that brought it. */
  deposited: bigint
  charged: bigint
  /** The largest total that the proxy's key signed. */
  signed: bigint
  /** Payouts to the owner for this contract. */
  received: bigint
}

export interface WorkerBook {
  readonly proxy: Key
  /** The largest total that the proxy's key signed. */
  signed: bigint
  received: bigint
}

export interface ProxyBook {
  staked: bigint
  /** Part of the stake that went to clients. */
  forced: bigint
  /** Paid to the proxy's owner. */
  paidOwner: bigint
  /** What the messages brought that asked for these payouts: a surplus may come back inside a payout. */
  brought: bigint
  /** Rent that no message paid, because nothing ran. */
  unpaidRent: bigint
  /** The owner has taken what nobody had claimed for so long after closing. */
  claimed: boolean
  /** Some operation was accepted: from then on 0.01 TON stay. */
  founded: boolean
  /** What was there before that: the 0.01 TON include it, though it may be owed. */
  early: bigint
}

const PAYOUT = 0xc59a7cd3
const TOP_UPS = [0xf172e6c2, 0x8473b408]
const INCREASE_STAKE = 0x9713f187

export class Books {
  clients = new Map<Key, ClientBook>()
  workers = new Map<Key, WorkerBook>()
  proxies = new Map<Key, ProxyBook>()
  /** Value of messages by others that named somebody as receiver of the surplus. */
  gifts = new Map<Key, bigint>()

  fork(): Books {
    const copy = new Books()
    for (const [key, book] of this.clients) copy.clients.set(key, { ...book })
    for (const [key, book] of this.workers) copy.workers.set(key, { ...book })
    for (const [key, book] of this.proxies) copy.proxies.set(key, { ...book })
    copy.gifts = new Map(this.gifts)
    return copy
  }

  open(contract: Contract) {
    const { key, proxy } = contract
    if (contract.kind === 'client' && proxy !== null && !this.clients.has(key)) {
      this.clients.set(key, { proxy, deposited: 0n, charged: 0n, signed: 0n, received: 0n })
    }
    if (contract.kind === 'worker' && proxy !== null && !this.workers.has(key)) {
      this.workers.set(key, { proxy, signed: 0n, received: 0n })
    }
    if (contract.kind === 'proxy' && !this.proxies.has(key)) {
      const zero = { staked: 0n, forced: 0n, paidOwner: 0n, brought: 0n, unpaidRent: 0n, early: 0n }
      this.proxies.set(key, { ...zero, claimed: false, founded: false })
    }
  }

  gift(key: Key, value: bigint) {
    this.gifts.set(key, (this.gifts.get(key) ?? 0n) + value)
  }

  /** Notes a step at a contract; `before` and `after` are its states, `done` says that something was accepted. */
  note(contract: Contract, step: Step, before: Model, after: Model, done: boolean) {
    const { parcel } = step
    const op = operationOf(step)
    if (contract.kind === 'client') {
      const book = this.client(contract.key)
      const [was, is] = [before as ClientModel, after as ClientModel]
      if (done && op !== null && TOP_UPS.includes(op)) book.deposited += coinsAfterHead(step)
      if (is.used < was.used) throw new Violation(`client ${contract.key}: tokens went back from ${was.used} to ${is.used}`)
      const cost = (is.used - was.used) * was.terms.price
      book.charged += cost < was.balance ? cost : was.balance
      book.received += paidOut(step)
    }
    if (contract.kind === 'worker') {
      const [was, is] = [before as WorkerModel, after as WorkerModel]
      if (is.tokens < was.tokens && !parcel.bounced) {
        throw new Violation(`worker ${contract.key}: tokens went back from ${was.tokens} to ${is.tokens}`)
      }
    }
    if (contract.kind === 'proxy') this.noteProxy(contract, step, op, before, after, done)
  }

  private noteProxy(contract: Contract, step: Step, op: number | null, before: Model, after: Model, done: boolean) {
    const book = this.proxies.get(contract.key)
    if (book === undefined || before.kind !== 'proxy' || after.kind !== 'proxy') throw new Error('no book of this proxy')
    if (!done) {
      book.unpaidRent += step.rent
      return
    }
    if (!book.founded) book.early = step.before.balance
    book.founded = true
    const from = step.parcel.from ?? ''
    const client = this.clients.get(from)
    const worker = this.workers.get(from)
    const paid = paidOut(step)
    if (client !== undefined) {
      client.received += paid
      if (after.stake < before.stake) book.forced += before.stake - after.stake
    } else if (worker !== undefined) worker.received += paid
    else if (op === INCREASE_STAKE) book.staked += coinsAfterHead(step)
    else if (paid > 0n) {
      book.paidOwner += paid
      book.brought += step.parcel.value
      if (before.state === 2 && step.nowSec >= before.unlock) book.claimed = true
    }
  }

  client(key: Key): ClientBook {
    const book = this.clients.get(key)
    if (book === undefined) throw new RangeError(`no book of client ${key}`)
    return book
  }

  worker(key: Key): WorkerBook {
    const book = this.workers.get(key)
    if (book === undefined) throw new RangeError(`no book of worker ${key}`)
    return book
  }

  proxy(key: Key): ProxyBook {
    const book = this.proxies.get(key)
    if (book === undefined) throw new RangeError(`no book of proxy ${key}`)
    return book
  }
}

function operationOf(step: Step): number | null {
  const { body, bounced } = step.parcel
  return bounced || body.bits.length < 32 ? null : body.beginParse().loadUint(32)
}

function coinsAfterHead(step: Step): bigint {
  const slice = step.parcel.body.beginParse()
  slice.skip(96)
  return slice.loadCoins()
}

function paidOut(step: Step): bigint {
  let sum = 0n
  for (const out of step.out) {
    if (!out.bounced && out.body.bits.length >= 32 && out.body.beginParse().loadUint(32) === PAYOUT) sum += out.value
  }
  return sum
}
