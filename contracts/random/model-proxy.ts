import { type Address, type Cell, type Slice, toNano } from '@ton/core'
import { keyOf } from './account.ts'
import { contractOf, head, type ProxyModel, payout, readAll } from './model-layout.ts'
import {
  BROKEN,
  CLOSED,
  CLOSING,
  COMMISSION,
  CONTRACT_BALANCE,
  FORMAT,
  heldBefore,
  IGNORED,
  type Incoming,
  LOCKED,
  LOW_VALUE,
  leave,
  NORMAL,
  NOT_OWNER,
  type Outgoing,
  operationOf,
  RANGE,
  readSigned,
  refused,
  SHORT,
  STATE,
  STORAGE,
  surplus,
  UNKNOWN_OP,
  UNKNOWN_SENDER,
  UNKNOWN_TEXT,
  type Verdict,
} from './model-rules.ts'

// Protocol 60 §5, and docs/contracts.md where it is silent or where the contracts deviate.

const WORKER_REQUEST = 0x4d725d2c
const CLIENT_REQUEST = 0x65448ff4
const PAYOUT_REQUEST = 0x7610e6eb
const INCREASE_STAKE = 0x9713f187
const CLOSE_REQUEST = 0x636a4391
const CLOSE_COMPLETE = 0xe511abc7
const OWNER_CLOSE = 0xb51d5a01
const OWN_OPS = [PAYOUT_REQUEST, INCREASE_STAKE, CLOSE_REQUEST, CLOSE_COMPLETE, OWNER_CLOSE]
const TIME_LIMIT = 2 ** 32
/** For so long a closed contract holds what may be other people's, and for the delay of clients, which it counts up to as much. */
export const CLAIM_PERIOD_SEC = 365 * 86_400

/** What paying a part and telling of the rest needs (docs/contracts.md, 1003). */
const UNPAID_GAS = toNano('0.03')

export function judgeProxy(proxy: ProxyModel, message: Incoming): Verdict<ProxyModel> {
  if (message.bounced) return IGNORED
  const start = operationOf(message)
  if ('kind' in start) return start
  const { op, rest } = start
  if (op === 0) return text(proxy, message, rest)
  if (op === WORKER_REQUEST) return workerRequest(proxy, message, rest)
  if (op === CLIENT_REQUEST) return clientRequest(proxy, message, rest)
  if (rest.remainingBits < 64) return refused(FORMAT)
  const queryId = rest.loadUintBig(64)
  if (!OWN_OPS.includes(op)) return refused(UNKNOWN_OP)
  if (op === CLOSE_REQUEST || op === CLOSE_COMPLETE) return closeSigned(proxy, message, op, queryId, rest)

  const asked = readAll(rest, (slice) => ({
    amount: op === INCREASE_STAKE ? slice.loadCoins() : 0n,
    excesses: slice.loadAddress(),
  }))
  const faults: number[] = []
  if (op === OWNER_CLOSE && !message.from.equals(proxy.owner)) faults.push(NOT_OWNER)
  if (asked === null) return refused(...faults, ...BROKEN, ...stateFault(proxy, op))
  if (message.value < asked.amount + COMMISSION) faults.push(LOW_VALUE)
  faults.push(...stateFault(proxy, op))
  const end = [surplus(asked.excesses, queryId)]
  if (op === INCREASE_STAKE) {
    if (faults.length > 0) return refused(...faults)
    const next = { ...proxy, stake: proxy.stake + asked.amount }
    return { kind: 'done', next, keeps: leave(message, STORAGE) + asked.amount, out: end }
  }
  if (op === OWNER_CLOSE) return beginClosing(proxy, message, faults, end)
  return payOut({ ...proxy, balance: 0n }, message, proxy.owner, ownersMoney(proxy, message), queryId, end, faults)
}

function stateFault(proxy: ProxyModel, op: number): number[] {
  if (op === INCREASE_STAKE) return proxy.state === CLOSED ? [STATE] : []
  return op === OWNER_CLOSE && proxy.state !== NORMAL ? [STATE] : []
}

/** The commission; long after closing everything that nobody has claimed. */
function ownersMoney(proxy: ProxyModel, message: Incoming): bigint {
  const isUnclaimed = proxy.state === CLOSED && message.nowSec >= proxy.unlock
  return isUnclaimed ? heldAbove(STORAGE, message) : proxy.balance
}

function heldAbove(reserved: bigint, message: Incoming): bigint {
  const held = heldBefore(message) - reserved
  return held > 0n ? held : 0n
}

function beginClosing(proxy: ProxyModel, message: Incoming, before: readonly number[], out: readonly Outgoing[]) {
  const faults = [...before]
  if (proxy.state !== NORMAL) faults.push(STATE)
  const unlock = message.nowSec + proxy.terms.proxyDelay
  if (unlock >= TIME_LIMIT) faults.push(RANGE)
  if (faults.length > 0) return refused(...faults)
  const next = { ...proxy, state: CLOSING, unlock }
  return { kind: 'done', next, keeps: leave(message, STORAGE), out } as const
}

/** Takes `amount` out of what is held; `end` carries the rest of the message. */
function payOut(
  next: ProxyModel,
  message: Incoming,
  to: Address,
  amount: bigint,
  queryId: bigint,
  end: readonly Outgoing[],
  before: readonly number[],
): Verdict<ProxyModel> {
  const faults = [...before]
  if (heldBefore(message) < amount) faults.push(CONTRACT_BALANCE)
  if (faults.length > 0) return refused(...faults)
  const paid: Outgoing[] = amount > 0n ? [{ to, body: payout(queryId), bounce: false, value: amount }] : []
  return { kind: 'done', next, keeps: leave(message, STORAGE) - amount, out: [...paid, ...end] }
}

function closeSigned(proxy: ProxyModel, message: Incoming, op: number, queryId: bigint, rest: Slice): Verdict<ProxyModel> {
  const faults = message.value < COMMISSION ? [LOW_VALUE] : []
  if (proxy.state !== (op === CLOSE_REQUEST ? NORMAL : CLOSING)) faults.push(STATE)
  const signed = readSigned(rest, { op, queryId, self: message.self, key: proxy.key, counts: false })
  if (signed === null) return refused(...faults, ...BROKEN)
  faults.push(...signed.faults)
  if (op === CLOSE_REQUEST) return beginClosing(proxy, message, faults, [surplus(signed.excesses, queryId)])
  if (message.nowSec < proxy.unlock) faults.push(LOCKED)
  const unlock = message.nowSec + CLAIM_PERIOD_SEC + Math.min(proxy.terms.clientDelay, CLAIM_PERIOD_SEC)
  if (unlock >= TIME_LIMIT) faults.push(RANGE)
  if (faults.length > 0) return refused(...faults)
  const own = least(proxy.balance + proxy.stake, heldAbove(STORAGE, message))
  const next = { ...proxy, state: CLOSED, balance: 0n, stake: 0n, unlock }
  const out = [{ to: proxy.owner, body: payout(queryId), bounce: false, value: null }]
  return { kind: 'done', next, keeps: leave(message, STORAGE) - own, out }
}

function text(proxy: ProxyModel, message: Incoming, rest: Slice): Verdict<ProxyModel> {
  const faults = message.from.equals(proxy.owner) ? [] : [NOT_OWNER]
  const command = rest.remainingBits === 8 && rest.remainingRefs === 0 ? String.fromCharCode(rest.loadUint(8)) : ''
  if (command !== 'c' && command !== 'w') return refused(...faults, UNKNOWN_TEXT)
  if (message.value < COMMISSION) faults.push(LOW_VALUE)
  if (command === 'c') return beginClosing(proxy, message, faults, [surplus(proxy.owner, 0n)])
  const amount = ownersMoney(proxy, message)
  if (heldBefore(message) < amount) faults.push(CONTRACT_BALANCE)
  if (faults.length > 0) return refused(...faults)
  const out = [{ to: proxy.owner, body: payout(0n), bounce: false, value: null }]
  return { kind: 'done', next: { ...proxy, balance: 0n }, keeps: leave(message, STORAGE) - amount, out }
}

const least = (a: bigint, b: bigint) => (a < b ? a : b)

interface Request {
  readonly queryId: bigint
  readonly owner: Address
  readonly payload: Cell | null
}

function workerRequest(proxy: ProxyModel, message: Incoming, rest: Slice): Verdict<ProxyModel> {
  const asked = readAll(rest, (slice): Request => {
    const queryId = slice.loadUintBig(64)
    const owner = slice.loadAddress()
    slice.skip(2 + 64)
    return { queryId, owner, payload: slice.loadMaybeRef() }
  })
  if (asked === null) return refused(FORMAT, SHORT)
  if (asked.payload === null) return IGNORED
  const faults = stranger('worker', proxy, message, asked.owner)
  const paid = readAll(asked.payload.beginParse(), (slice) => ({
    op: slice.loadUint(32),
    worker: slice.loadCoins(),
    proxy: slice.loadCoins(),
    excesses: slice.loadAddress(),
  }))
  if (paid === null) return refused(...faults, ...BROKEN, UNKNOWN_OP)
  if (paid.op !== 0x08e7d036) return refused(...faults, UNKNOWN_OP)
  const next = { ...proxy, balance: proxy.balance + paid.proxy }
  return payOut(next, message, asked.owner, paid.worker, asked.queryId, [surplus(paid.excesses, asked.queryId)], faults)
}

function stranger(kind: 'client' | 'worker', proxy: ProxyModel, message: Incoming, owner: Address): number[] {
  return keyOf(message.from) === contractOf(kind, proxy, message.self, owner) ? [] : [UNKNOWN_SENDER]
}

function clientRequest(proxy: ProxyModel, message: Incoming, rest: Slice): Verdict<ProxyModel> {
  const asked = readAll(rest, (slice): Request => {
    const queryId = slice.loadUintBig(64)
    const owner = slice.loadAddress()
    slice.loadRef()
    return { queryId, owner, payload: slice.loadMaybeRef() }
  })
  if (asked === null) return refused(FORMAT, SHORT)
  if (asked.payload === null) return IGNORED
  const faults = stranger('client', proxy, message, asked.owner)
  const payload = asked.payload.beginParse()
  const op = payload.remainingBits < 32 ? null : payload.loadUint(32)
  if (op === 0xa35cb580 && payload.remainingBits === 64) return faults.length > 0 ? refused(...faults) : IGNORED
  const wanted = readAll(payload, (slice) => ({ amount: slice.loadCoins(), excesses: slice.loadAddress() }))
  if (wanted === null) return refused(...faults, ...BROKEN, UNKNOWN_OP)
  const end = [surplus(wanted.excesses, asked.queryId)]
  const pay = (next: ProxyModel, amount: bigint, last: readonly Outgoing[]) =>
    payOut(next, message, asked.owner, amount, asked.queryId, last, faults)
  if (op === 0x5cfc6b87) {
    if (proxy.state !== NORMAL) faults.push(STATE)
    if (message.value < wanted.amount) faults.push(LOW_VALUE)
    if (faults.length > 0) return refused(...faults)
    return { kind: 'done', next: proxy, keeps: leave(message, STORAGE) + wanted.amount, out: end }
  }
  if (op !== 0xc68ebc7b && op !== 0xf4c354c9) return refused(...faults, UNKNOWN_OP)
  const isForced = op === 0xf4c354c9
  const isLimited = isForced && proxy.state !== CLOSED
  const held = heldAbove(isForced ? proxy.balance : 0n, message)
  const amount = least(wanted.amount, isLimited ? least(held, proxy.stake) : held)
  const next = isLimited ? { ...proxy, stake: proxy.stake - amount } : proxy
  if (amount === wanted.amount) return pay(next, amount, end)
  // Refused rather than forgotten: the note about the rest needs gas.
  if (heldBefore(message) + message.value < leave(message, STORAGE) + UNPAID_GAS) faults.push(LOW_VALUE)
  const unpaid = head(0x5d3c8e10, asked.queryId)
    .storeCoins(wanted.amount - amount)
    .storeAddress(wanted.excesses)
    .endCell()
  return pay(next, amount, [{ to: message.from, body: unpaid, bounce: false, value: null }])
}
