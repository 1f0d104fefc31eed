import { beginCell, type Slice } from '@ton/core'
import { returnedBody } from './model-client.ts'
import { readAll, type WorkerModel, workerRequest } from './model-layout.ts'
import {
  BROKEN,
  CLOSED,
  COMMISSION,
  CONTRACT_BALANCE,
  FORMAT,
  heldBefore,
  IGNORED,
  type Incoming,
  KEEP,
  LOW_VALUE,
  leave,
  NORMAL,
  NOT_OWNER,
  OLD,
  operationOf,
  RANGE,
  readSigned,
  refused,
  STATE,
  surplus,
  UNKNOWN_OP,
  type Verdict,
  WAY,
} from './model-rules.ts'

// Protocol 60 §7, and docs/contracts.md where it is silent.

const PAYOUT = 0xa040ad28
const LAST_PAYOUT = 0xf5f26a36
const REGISTER = 0x26ed7f65
const COINS_LIMIT = 1n << 120n

export function judgeWorker(worker: WorkerModel, message: Incoming): Verdict<WorkerModel> {
  if (message.bounced) return judgeBounced(worker, message)
  const start = operationOf(message)
  if ('kind' in start) return start
  const { op, rest } = start
  if (rest.remainingBits < 64) return refused(FORMAT)
  const queryId = rest.loadUintBig(64)
  if (op !== PAYOUT && op !== LAST_PAYOUT && op !== REGISTER) return refused(UNKNOWN_OP)

  const faults: number[] = worker.state === CLOSED ? [STATE] : []
  if (message.value <= COMMISSION) faults.push(LOW_VALUE)
  if (heldBefore(message) + message.value < leave(message, KEEP) + WAY) faults.push(CONTRACT_BALANCE)
  if (op === REGISTER) {
    if (!message.from.equals(worker.owner)) faults.push(NOT_OWNER)
    const to = readAll(rest, (slice) => slice.loadAddress())
    if (to === null) return refused(...faults, ...BROKEN)
    if (faults.length > 0) return refused(...faults)
    const notice = { to: worker.proxy, body: workerRequest(worker, queryId, null), bounce: false, value: 1n }
    return { kind: 'done', next: worker, keeps: leave(message, KEEP), out: [notice, surplus(to, queryId)] }
  }
  return pay(worker, message, op, queryId, rest, faults)
}

function pay(
  worker: WorkerModel,
  message: Incoming,
  op: number,
  queryId: bigint,
  rest: Slice,
  before: readonly number[],
): Verdict<WorkerModel> {
  const signed = readSigned(rest, { op, queryId, self: message.self, key: worker.key, counts: true })
  if (signed === null) return refused(...before, ...BROKEN)
  const faults = [...before, ...signed.faults]
  if (op === PAYOUT ? signed.tokens <= worker.tokens : signed.tokens < worker.tokens) faults.push(OLD)
  const { price, fee } = worker.terms
  const delta = signed.tokens - worker.tokens
  const parts = [delta * fee, delta * (price - fee)] as const
  if (parts.some((part) => part < 0n || part >= COINS_LIMIT)) faults.push(RANGE)
  if (faults.length > 0) return refused(...faults)
  const payload = beginCell()
    .storeUint(0x08e7d036, 32)
    .storeCoins(parts[0])
    .storeCoins(parts[1])
    .storeAddress(signed.excesses)
    .endCell()
  const next = { ...worker, tokens: signed.tokens, state: op === LAST_PAYOUT ? CLOSED : worker.state }
  const request = { to: worker.proxy, body: workerRequest(next, queryId, payload), bounce: true, value: null }
  return { kind: 'done', next, keeps: leave(message, KEEP), out: [request] }
}

/** The proxy contract did not pay: these tokens are unpaid again. */
function judgeBounced(worker: WorkerModel, message: Incoming): Verdict<WorkerModel> {
  const returned = returnedBody(message.body)
  const asked = returned === null ? null : readAll(returned.beginParse(), readRequest)
  if (asked === null) return IGNORED
  const unpaid = asked.parts > 0n ? asked.parts / worker.terms.price : 0n
  const next = { ...worker, tokens: worker.tokens - unpaid, state: asked.parts > 0n ? NORMAL : worker.state }
  // Of the request the proxy has heard; of what became of it too, then.
  const notice = { to: worker.proxy, body: workerRequest(next, asked.queryId, null), bounce: false, value: 1n, mayFail: true }
  const out = [notice, { ...surplus(asked.excesses, asked.queryId), mayFail: true }]
  return { kind: 'done', next, keeps: leave(message, KEEP), out }
}

/** A `worker request` of this contract that asks for money; throws for any other. */
function readRequest(slice: Slice) {
  slice.skip(32)
  const queryId = slice.loadUintBig(64)
  slice.loadAddress()
  slice.skip(2 + 64)
  const payload = slice.loadMaybeRef()?.beginParse()
  if (payload === undefined) throw new RangeError('no payload')
  payload.skip(32)
  return { queryId, parts: payload.loadCoins() + payload.loadCoins(), excesses: payload.loadAddress() }
}
