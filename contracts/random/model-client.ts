import { type Address, beginCell, type Cell, type Slice, toNano } from '@ton/core'
import { type ClientModel, clientRequest, payout, readAll } from './model-layout.ts'
import {
  BROKEN,
  CLOSED,
  CLOSING,
  COMMISSION,
  CONTRACT_BALANCE,
  heldBefore,
  IGNORED,
  type Incoming,
  KEEP,
  LOCKED,
  LOW_BALANCE,
  LOW_VALUE,
  leave,
  NORMAL,
  NOT_OWNER,
  OLD,
  type Outgoing,
  operationOf,
  RANGE,
  readSigned,
  refused,
  STATE,
  surplus,
  UNKNOWN_OP,
  UNKNOWN_SENDER,
  type Verdict,
  WAY,
} from './model-rules.ts'

// Protocol 60 §6, and docs/contracts.md where it is silent.

const TOP_UP = 0xf172e6c2
const SECRET_AND_TOP_UP = 0x8473b408
const SECRET = 0xa9357034
const REGISTER = 0xc45f9f3b
const STAKE = 0x6a1f6a60
const WITHDRAW = 0xda068e78
const REFUND = 0xfafa6cc1
const CHARGE = 0xbb63ff93
const GRANT = 0xefd711e1
/** From the proxy contract: this much of a forced refund was not paid. */
const UNPAID = 0x5d3c8e10
const OWNERS = [SECRET_AND_TOP_UP, SECRET, REGISTER, STAKE, WITHDRAW, REFUND]
const TIME_LIMIT = 2 ** 32
/** After this long without the proxy a forced refund is not limited by its stake any more. */
export const PATIENCE_SEC = 30 * 86_400
/** Comes along when a notice brings money: it runs then. */
const NOTICE_GAS = toNano('0.002')

interface Asked {
  readonly amount: bigint
  readonly secret: bigint | null
  readonly nonce: bigint
  readonly stake: bigint
  readonly excesses: Address
}

export function judgeClient(client: ClientModel, message: Incoming): Verdict<ClientModel> {
  if (message.bounced) return judgeBounced(client, message)
  const start = operationOf(message)
  if ('kind' in start) return start
  const { op, rest } = start
  if (rest.remainingBits < 64) return refused(1004)
  const queryId = rest.loadUintBig(64)
  if (op === CHARGE || op === GRANT) return settle(client, message, op, queryId, rest)
  if (op === UNPAID) return takeBack(client, message, queryId, rest)
  if (op !== TOP_UP && !OWNERS.includes(op)) return refused(UNKNOWN_OP)

  const faults: number[] = []
  if (op !== TOP_UP && !message.from.equals(client.owner)) faults.push(NOT_OWNER)
  const refundAgain = op === REFUND && client.state === CLOSED && client.balance > 0n
  if (client.state === CLOSED && !refundAgain) faults.push(STATE)
  if (op === WITHDRAW && client.state !== NORMAL) faults.push(STATE)
  const asked = readAll(rest, (slice) => readAsked(op, slice))
  if (asked === null) return refused(...faults, ...BROKEN)
  faults.push(...moneyFaults(message, asked.amount))
  if (op === WITHDRAW && client.balance <= client.stake) faults.push(LOW_BALANCE)
  if (op === STAKE && asked.stake <= client.stake) faults.push(LOW_VALUE)
  if (op === REFUND && client.state !== NORMAL && client.unlock >= message.nowSec) faults.push(LOCKED)
  const unlock = message.nowSec + client.terms.clientDelay
  if (op === REFUND && client.state === NORMAL && unlock >= TIME_LIMIT) faults.push(RANGE)
  if (faults.length > 0) return refused(...faults)

  const done = (next: ClientModel, payload: Cell | null) => tell(next, message, queryId, payload, asked.excesses)
  const above = client.balance > client.stake ? client.balance - client.stake : 0n
  switch (op) {
    case TOP_UP:
    case SECRET_AND_TOP_UP: {
      const balance = client.balance + asked.amount
      const next = { ...client, balance, secret: asked.secret ?? client.secret }
      return done(next, moneyPayload(0x5cfc6b87, asked.amount, asked.excesses))
    }
    case SECRET:
      return done({ ...client, secret: asked.secret ?? 0n }, null)
    case REGISTER:
      return done(client, beginCell().storeUint(0xa35cb580, 32).storeUint(asked.nonce, 64).endCell())
    case STAKE:
      return done({ ...client, stake: asked.stake }, null)
    case WITHDRAW:
      return done({ ...client, balance: client.stake }, refundOf(above, asked.excesses))
    default: {
      if (client.state === NORMAL) {
        const next = { ...client, state: CLOSING, unlock, balance: client.balance - above }
        return done(next, refundOf(above, asked.excesses))
      }
      const next = { ...client, state: CLOSED, balance: 0n }
      const limited = message.nowSec < client.unlock + PATIENCE_SEC
      if (!limited) return done(next, refundOf(client.balance, asked.excesses))
      return done(next, client.balance > 0n ? moneyPayload(0xf4c354c9, client.balance, asked.excesses) : null)
    }
  }
}

function readAsked(op: number, slice: Slice): Asked {
  const asked = { amount: 0n, secret: null as bigint | null, nonce: 0n, stake: 0n }
  if (op === TOP_UP || op === SECRET_AND_TOP_UP) asked.amount = slice.loadCoins()
  if (op === SECRET || op === SECRET_AND_TOP_UP) asked.secret = slice.loadUintBig(256)
  if (op === REGISTER) asked.nonce = slice.loadUintBig(64)
  if (op === STAKE) asked.stake = slice.loadCoins()
  return { ...asked, excesses: slice.loadAddress() }
}

function moneyFaults(message: Incoming, amount: bigint): number[] {
  const faults: number[] = []
  if (message.value < amount + COMMISSION) faults.push(LOW_VALUE)
  if (heldBefore(message) + message.value < leave(message, KEEP) + amount + WAY) faults.push(CONTRACT_BALANCE)
  return faults
}

/** Charge and grant refund. */
function settle(client: ClientModel, message: Incoming, op: number, queryId: bigint, rest: Slice): Verdict<ClientModel> {
  const faults: number[] = []
  if (client.state === CLOSED && (op === CHARGE || client.balance === 0n)) faults.push(STATE)
  const signed = readSigned(rest, { op, queryId, self: message.self, key: client.key, counts: true })
  if (signed === null) return refused(...faults, ...BROKEN)
  faults.push(...moneyFaults(message, 0n), ...signed.faults)
  if (op === CHARGE ? signed.tokens <= client.used : signed.tokens < client.used) faults.push(OLD)
  if (faults.length > 0) return refused(...faults)
  const cost = (signed.tokens - client.used) * client.terms.price
  const balance = cost < client.balance ? client.balance - cost : 0n
  if (op === CHARGE) return tell({ ...client, used: signed.tokens, balance }, message, queryId, null, signed.excesses)
  const next = { ...client, used: signed.tokens, balance: 0n, state: CLOSED }
  return tell(next, message, queryId, refundOf(balance, signed.excesses), signed.excesses)
}

/** The rest of a forced refund comes back to the books. */
function takeBack(client: ClientModel, message: Incoming, queryId: bigint, rest: Slice): Verdict<ClientModel> {
  const faults = message.from.equals(client.proxy) ? [] : [UNKNOWN_SENDER]
  const asked = readAll(rest, (slice) => ({ amount: slice.loadCoins(), excesses: slice.loadAddress() }))
  if (asked === null) return refused(...faults, ...BROKEN)
  if (faults.length > 0) return refused(...faults)
  return correct({ ...client, balance: client.balance + asked.amount }, message, queryId, 0n, 0n, asked.excesses)
}

/** The proxy contract refused what this contract asked: the books become again what they would be without it. */
function judgeBounced(client: ClientModel, message: Incoming): Verdict<ClientModel> {
  const returned = returnedBody(message.body)
  const asked = returned === null ? null : readAll(returned.beginParse(), readRequest)
  if (asked === null) return IGNORED
  const { queryId, op, amount, excesses } = asked
  if (op !== 0x5cfc6b87) {
    const owed = { ...client, balance: client.balance + amount }
    // The first request for a refund did nothing, so it does not close either; unless something else has closed for good.
    const isFirst = op === 0xc68ebc7b && asked.state === CLOSING && client.state === CLOSING
    return correct(isFirst ? { ...owed, state: NORMAL, unlock: 0 } : owed, message, queryId, 0n, 0n, excesses)
  }
  const back = amount < client.balance ? amount : client.balance
  return correct({ ...client, balance: client.balance - back }, message, queryId, back, amount - back, excesses)
}

/** New books, whatever comes of the messages: what is the owner's goes to the owner, what is the proxy's to the proxy. */
function correct(
  next: ClientModel,
  message: Incoming,
  queryId: bigint,
  owners: bigint,
  proxys: bigint,
  excesses: Address,
): Verdict<ClientModel> {
  const paid = { to: next.owner, body: payout(queryId), bounce: false, value: owners, mayFail: true }
  const value = 1n + proxys + (proxys > 0n ? NOTICE_GAS : 0n)
  const notice = { to: next.proxy, body: clientRequest(next, queryId, null), bounce: false, value, mayFail: true }
  const out = [...(owners > 0n ? [paid] : []), notice, { ...surplus(excesses, queryId), mayFail: true }]
  return { kind: 'done', next, keeps: leave(message, KEEP), out }
}

/** The body of our own message, in a bounce that carries it. */
export function returnedBody(body: Cell): Cell | null {
  const slice = body.beginParse()
  if (slice.remainingBits < 32 || slice.loadUint(32) !== 0xfffffffe) return null
  return slice.loadRef()
}

/** A `client request` of this contract that carries money; throws for any other. */
function readRequest(slice: Slice) {
  slice.skip(32)
  const queryId = slice.loadUintBig(64)
  slice.loadAddress()
  const state = slice.loadRef().beginParse().loadUint(2)
  const payload = slice.loadMaybeRef()?.beginParse()
  if (payload === undefined) throw new RangeError('no payload')
  const op = payload.loadUint(32)
  if (op === 0xa35cb580) throw new RangeError('no money')
  return { queryId, op, state, amount: payload.loadCoins(), excesses: payload.loadAddress() }
}

function moneyPayload(op: number, amount: bigint, excesses: Address): Cell {
  return beginCell().storeUint(op, 32).storeCoins(amount).storeAddress(excesses).endCell()
}

const refundOf = (amount: bigint, excesses: Address) => (amount > 0n ? moneyPayload(0xc68ebc7b, amount, excesses) : null)

/** Every accepted message ends with a `client request`: with all the money when it carries some, else with one nanoton. */
function tell(
  next: ClientModel,
  message: Incoming,
  queryId: bigint,
  payload: Cell | null,
  excesses: Address,
): Verdict<ClientModel> {
  const body = clientRequest(next, queryId, payload)
  const isMoney = payload !== null && payload.beginParse().loadUint(32) !== 0xa35cb580
  const out: Outgoing[] = isMoney
    ? [{ to: next.proxy, body, bounce: true, value: null }]
    : [{ to: next.proxy, body, bounce: false, value: 1n }, surplus(excesses, queryId)]
  return { kind: 'done', next, keeps: leave(message, KEEP), out }
}
