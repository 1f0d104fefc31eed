import type { Cell } from '@ton/core'
import { addressOf, dataHash, keyOf } from './account.ts'
import type { Parcel, Step } from './ledger.ts'
import { judgeClient } from './model-client.ts'
import { type ClientModel, clientData, type ProxyModel, proxyData, type WorkerModel, workerData } from './model-layout.ts'
import { judgeProxy } from './model-proxy.ts'
import { type Drafts, judgeRoot, type RootModel, rootData } from './model-root.ts'
import { COMMISSION, type Incoming, type Outgoing, STORAGE, type Verdict } from './model-rules.ts'
import { judgeOrder, judgeWallet, type WalletModel, walletData } from './model-wallet.ts'
import { judgeWorker } from './model-worker.ts'
import { rawHash } from './raw-boc.ts'

export type Model = RootModel | ProxyModel | ClientModel | WorkerModel | WalletModel

/** The chain did something else than the rules say. */
export class Violation extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Violation'
  }
}

/** A fee above this is no fee but a loss, nanoton. */
const FEE_LIMIT = 40_000_000n
/** The dearest way of a message costs less: gas at both contracts and what they send. */
const WAY_LIMIT = 20_000_000n
/** A message with less may run out of gas wherever it likes, but must not change anything then. */
const GAS_LIMIT = COMMISSION
/** Rent that may be owed before the chain freezes a contract, nanoton. */
const FREEZE_LIMIT = 100_000_000n
/** From a proxy contract: this much of a refund was not paid. */
const UNPAID = 0x5d3c8e10
const OUT_OF_GAS = [-14, 13]
/** Actions: too little Toncoin for a message, or for what has to stay. */
const NO_FUNDS = [37, 38, 40]
/** Actions: no such workchain. */
const NO_SUCH_PLACE = 36

const least = (a: bigint, b: bigint) => (a < b ? a : b)
const written = new WeakMap<Model, Cell>()

/** The data cell of a contract in this state. */
export function dataOf(model: Model): Cell {
  const known = written.get(model)
  if (known !== undefined) return known
  const cell = write(model)
  written.set(model, cell)
  return cell
}

function write(model: Model): Cell {
  switch (model.kind) {
    case 'root':
      return rootData(model)
    case 'proxy':
      return proxyData(model)
    case 'client':
      return clientData(model)
    case 'worker':
      return workerData(model)
    case 'wallet':
      return walletData(model)
  }
}

/** What is left of a message's value when the contract's own balance did not suffice for its rent. What was still owed (`due`) is taken of that. */
function credited({ parcel, before, rent }: Step): bigint {
  return least(parcel.value, before.balance + parcel.value - rent)
}

function verdictOf(model: Model, step: Step, drafts: Drafts): Verdict<Model> {
  const { parcel, before } = step
  if (parcel.from === null) {
    if (model.kind !== 'wallet') throw new Violation('an external message to a contract that takes none')
    return judgeOrder(model, parcel.body, step.nowSec, before.balance - step.rent)
  }
  const message: Incoming = {
    self: addressOf(parcel.to),
    from: addressOf(parcel.from),
    value: credited(step),
    body: parcel.body,
    bounced: parcel.bounced,
    nowSec: step.nowSec,
    balance: before.balance,
    rent: step.rent,
    due: step.due,
  }
  switch (model.kind) {
    case 'root':
      return judgeRoot(model, message, drafts)
    case 'proxy':
      return judgeProxy(model, message)
    case 'client':
      return judgeClient(model, message)
    case 'worker':
      return judgeWorker(model, message)
    case 'wallet':
      return judgeWallet(model, message)
  }
}

/**
 * What the model says the contract is after this step. `model` is the contract before it, or as it would be deployed by
 * the message. Throws Violation when the chain says anything else: other data, code, balance, messages or exit codes.
 */
export function judge(model: Model, step: Step, drafts: Drafts): { readonly next: Model; readonly verdict: Verdict<Model> } {
  const verdict = reachable(verdictOf(model, step, drafts))
  const fail = (what: string) => {
    throw new Violation(`${model.kind} ${step.parcel.to.slice(0, 8)}: ${what}; ${describe(step)}, expected ${said(verdict)}`)
  }
  if (verdict.kind === 'done' && step.success) {
    checkData(verdict.next, step, fail)
    checkOut(verdict.out, step.out, fail)
    const keepsRest = verdict.out.some((out) => out.value === null && out.mayFail === true) && !sentRest(verdict.out, step.out)
    if (verdict.keeps !== null && step.after.balance !== verdict.keeps && !keepsRest) {
      fail(`keeps ${step.after.balance} instead of ${verdict.keeps} nanoton`)
    }
    if (step.fees - step.rent > (model.kind === 'wallet' ? 4n : 1n) * FEE_LIMIT) fail(`fees of ${step.fees} nanoton`)
    return { next: verdict.next, verdict }
  }
  const couldStarve = credited(step) - step.due < GAS_LIMIT && starved(step) && !(verdict.kind === 'done' && isCorrection(step))
  if (verdict.kind === 'done' && !couldStarve && !isUnaffordable(model, verdict, step)) fail('should have been accepted')
  if (verdict.kind === 'refused' && !couldStarve) {
    const code = step.exitCode === 0 ? step.actionCode : step.exitCode
    // An order that the wallet cannot even pay for is not run; the emulator says 0 when its rent has taken the last of it.
    const isBroke = step.exitCode === 0 && step.before.balance <= STORAGE
    const isUnpaid = !step.accepted && (step.exitCode === -1 || isBroke)
    if (!isUnpaid && (step.success || code === null || !verdict.codes.includes(code))) fail('should have been refused')
  }
  if (verdict.kind === 'ignored' && !couldStarve && !step.success) fail('should have been ignored')
  if (step.accepted && step.after.status === 'active') checkData(model, step, fail)
  if (verdict.kind === 'ignored' && step.success && step.out.length > 0) fail('sends something')
  checkBounce(step, fail)
  const own = step.parcel.from === null ? step.before.balance : 0n
  if (step.after.balance + own < step.before.balance - step.rent) fail('lost money of its own')
  return { next: model, verdict: verdict.kind === 'done' ? { kind: 'refused', codes: [] } : verdict }
}

/**
 * Nobody sends it again: what is owed would be forgotten. The contracts have to see to it that it brings enough, so it has no
 * excuse.
 */
function isCorrection({ parcel }: Step): boolean {
  const { body, bounced } = parcel
  return bounced || (body.bits.length >= 32 && body.beginParse().loadUint(32) === UNPAID)
}

/**
 * A wallet may order more than it has. Of the others only what has to stay can be too much: rent that has gathered for about a year or longer, and
 * takes what the message brings for its way. Then the chain refuses the message as a whole, and the money goes back.
 */
function isUnaffordable(model: Model, verdict: Verdict<Model>, step: Step): boolean {
  if (!NO_FUNDS.includes(step.actionCode ?? 0)) return false
  if (model.kind === 'wallet') return true
  if (verdict.kind !== 'done' || verdict.keeps === null || isCorrection(step)) return false
  const sent = verdict.out.reduce((sum, out) => sum + (out.value ?? 0n), 0n)
  const left = step.before.balance + step.parcel.value - step.rent - verdict.keeps - sent
  return left < WAY_LIMIT && left + step.rent + step.due >= WAY_LIMIT
}

/**
 * A contract that has used up what it had for its rent, and owes more: it is frozen, and whatever comes goes back. Throws Violation
 * when it is gone for any other reason, or keeps something.
 */
export function judgeFrozen(model: Model, step: Step) {
  const fail = (what: string) => {
    throw new Violation(`${model.kind} ${step.parcel.to.slice(0, 8)}: ${what}; ${describe(step)}`)
  }
  const { before, after } = step
  if (step.skipped === null) fail(`ran and is ${after.status}`)
  // Of a message that does not bounce the rent takes its part too.
  const isBroke = step.rent >= before.balance && step.due > FREEZE_LIMIT
  if (before.status === 'active' && !isBroke) fail(`is ${after.status} and owes only ${step.due}`)
  checkBounce(step, fail)
}

/** There was no money to run with, to run on with, or to send with. */
function starved(step: Step): boolean {
  if (step.skipped === 'no-gas') return true
  return OUT_OF_GAS.includes(step.exitCode) || NO_FUNDS.includes(step.actionCode ?? 0)
}

function checkData(model: Model, step: Step, fail: (what: string) => void) {
  const { after } = step
  if (after.status !== 'active') return fail(`the account is ${after.status}`)
  if (dataHash(after) !== dataOf(model).hash().toString('hex')) fail('has other data')
  if (model.kind === 'root' && after.code !== null && !rawHash(after.code).equals(model.code.hash())) fail('has other code')
}

function checkOut(expected: readonly Outgoing[], sent: readonly Parcel[], fail: (what: string) => void) {
  const left = [...sent]
  for (const message of expected) {
    const index = left.findIndex((parcel) => matches(message, parcel))
    if (index >= 0) left.splice(index, 1)
    else if (message.mayFail !== true) fail(`no message to ${keyOf(message.to).slice(0, 8)} of ${message.value ?? 'the rest'}`)
  }
  if (left.length > 0) fail(`${left.length} messages too many`)
}

/** Where a message may go from workchain 0. */
const isReachable = (out: Outgoing) => out.to.workChain === 0 || out.to.workChain === -1

/** A message to a place that does not exist undoes everything, unless the rules do not mind. Money that is short for what comes before it is found first. */
function reachable(verdict: Verdict<Model>): Verdict<Model> {
  if (verdict.kind !== 'done' || verdict.out.every((out) => out.mayFail === true || isReachable(out))) return verdict
  return { kind: 'refused', codes: [NO_SUCH_PLACE, ...NO_FUNDS] }
}

function sentRest(expected: readonly Outgoing[], sent: readonly Parcel[]): boolean {
  return expected.some((out) => out.value === null && sent.some((parcel) => matches(out, parcel)))
}

function matches(expected: Outgoing, sent: Parcel): boolean {
  if (sent.to !== keyOf(expected.to) || sent.bounce !== expected.bounce || sent.bounced) return false
  if (sent.init && expected.paysWay === undefined) return false
  if (!sent.body.hash().equals(expected.body.hash())) return false
  if (expected.value === null) return true
  if (expected.paysWay !== true) return sent.value === expected.value
  return sent.value < expected.value && sent.value + 2n * FEE_LIMIT > expected.value
}

/** A message that was not accepted goes back to its sender, and nothing else leaves. */
function checkBounce(step: Step, fail: (what: string) => void) {
  const { parcel, out } = step
  if (out.length === 0) {
    const returns = parcel.from !== null && parcel.bounce && !step.success && credited(step) - step.due >= GAS_LIMIT
    return returns ? fail('keeps a message that it refused') : undefined
  }
  const [bounce] = out
  if (out.length > 1 || bounce?.to !== parcel.from || bounce?.bounced !== true) fail('a refused message has effects')
}

export function describe(step: Step): string {
  const { parcel } = step
  const op = parcel.body.bits.length >= 32 ? parcel.body.beginParse().loadUint(32).toString(16).padStart(8, '0') : 'none'
  const sent = step.out.map((out) => `${out.value}>${out.to.slice(0, 8)}${out.bounced ? ' bounced' : ''}`).join(' ')
  const result = step.skipped ?? `exit ${step.exitCode} action ${step.actionCode}`
  return `op ${op} value ${parcel.value} from ${parcel.from?.slice(0, 8) ?? 'outside'}${parcel.bounced ? ' bounced' : ''}: ${result}, balance ${step.before.balance} > ${step.after.balance}, sent ${sent || 'nothing'}`
}

function said(verdict: Verdict<Model>): string {
  if (verdict.kind === 'ignored') return 'no effect'
  if (verdict.kind === 'refused') return `refusal by ${verdict.codes.join(' or ')}`
  const out = verdict.out.map((message) => `${message.value ?? 'rest'}>${keyOf(message.to).slice(0, 8)}`).join(' ')
  return `success, keeping ${verdict.keeps ?? 'what is left'}, sending ${out || 'nothing'}`
}
