import { type Address, type Cell, type Slice, toNano } from '@ton/core'
import { ed25519Verify } from '../ed25519.ts'
import { excesses } from './model-layout.ts'

// Common rules of protocol 60 §1 and §4. Amounts in nanoton.

export const COMMISSION = toNano('0.1')
export const STORAGE = toNano('0.01')
/** Client and worker contracts keep this much. */
export const KEEP = COMMISSION + STORAGE
/** What must be left for the way after everything that has to stay (docs/contracts.md, 1001). */
export const WAY = toNano('0.05')
export const DO_NOT_PROCESS = 0x9a1247c0

export const NORMAL = 0
export const CLOSING = 1
export const CLOSED = 2

export const OLD = 1000
export const CONTRACT_BALANCE = 1001
export const LOW_BALANCE = 1002
export const LOW_VALUE = 1003
export const FORMAT = 1004
export const SIGNED_FORMAT = 1005
export const STATE = 1006
export const SIGNATURE = 1007
export const NOT_OWNER = 1010
export const LOCKED = 1011
export const UNKNOWN_OP = 1012
export const UNKNOWN_TEXT = 1013
export const UNKNOWN_SENDER = 1014
export const OTHER_CONTRACT = 1015
export const UNKNOWN_ENTRY = 2000
/** TVM: a number does not fit; data are too short. */
export const RANGE = 5
export const SHORT = 9

/** A message at a contract that runs, and the account as the chain has it. */
export interface Incoming {
  readonly self: Address
  readonly from: Address
  readonly value: bigint
  readonly body: Cell
  readonly bounced: boolean
  readonly nowSec: number
  /** Before the message. */
  readonly balance: bigint
  /** Storage rent taken just now, and still owed. */
  readonly rent: bigint
  readonly due: bigint
}

export interface Outgoing {
  readonly to: Address
  readonly body: Cell
  readonly bounce: boolean
  /** nanoton; null: whatever is left */
  readonly value: bigint | null
  /** The rules do not mind if it cannot be sent. */
  readonly mayFail?: boolean
  /** The value pays for the way itself. */
  readonly paysWay?: boolean
}

/** What the rules say about one message. */
export type Verdict<Model> =
  | { readonly kind: 'ignored' }
  /** Any of these codes will do: the rules do not say which check comes first. */
  | { readonly kind: 'refused'; readonly codes: readonly number[] }
  | {
      readonly kind: 'done'
      readonly next: Model
      /** What is there afterwards, nanoton; null where the rules do not say. */
      readonly keeps: bigint | null
      readonly out: readonly Outgoing[]
    }

export const IGNORED = { kind: 'ignored' } as const
export const refused = (...codes: number[]) => ({ kind: 'refused', codes }) as const

/** What has to stay: the balance before the message, rent that was taken or is owed, but not less than `minimum`. */
export function leave(message: Incoming, minimum: bigint): bigint {
  const before = heldBefore(message) + message.rent + message.due
  return before > minimum ? before : minimum
}

/** What the contract holds without the message. Rent that it cannot pay comes out of a message that does not bounce. */
export function heldBefore(message: Incoming): bigint {
  return message.balance > message.rent ? message.balance - message.rent : 0n
}

export function surplus(to: Address, queryId: bigint): Outgoing {
  return { to, body: excesses(queryId), bounce: false, value: null }
}

/** Head of a message: the operation, or what is to be said before there is one. */
export function operationOf(message: Incoming): { op: number; rest: Slice } | Verdict<never> {
  const { body } = message
  if (body.bits.length === 0 && body.refs.length === 0) return IGNORED
  if (body.bits.length < 32) return refused(FORMAT)
  const rest = body.beginParse()
  const op = rest.loadUint(32)
  return op === DO_NOT_PROCESS ? IGNORED : { op, rest }
}

/** A signed message after op and query id. */
export interface Signed {
  readonly excesses: Address
  readonly tokens: bigint
  /** What is wrong with it, except the count of tokens. */
  readonly faults: readonly number[]
}

const verified = new Map<string, boolean>()

export function signedBy(key: Buffer, payload: Buffer, signature: Buffer): boolean {
  const name = `${key.toString('hex')} ${payload.toString('hex')} ${signature.toString('hex')}`
  const known = verified.get(name)
  if (known !== undefined) return known
  const good = ed25519Verify(payload, signature, key)
  if (verified.size > 20_000) verified.clear()
  verified.set(name, good)
  return good
}

/** Protocol 60 §4. Null when the layout is broken. */
export function readSigned(
  rest: Slice,
  expected: { op: number; queryId: bigint; self: Address; key: Buffer; counts: boolean },
): Signed | null {
  const slice = rest.clone()
  try {
    const excessesTo = slice.loadAddress()
    const signature = slice.loadBuffer(64)
    const payload = slice.loadRef()
    if (slice.remainingBits > 0 || slice.remainingRefs > 0) return null
    const faults: number[] = []
    const inner = payload.beginParse()
    if (inner.loadUint(32) !== expected.op) faults.push(SIGNED_FORMAT)
    if (inner.loadUintBig(64) !== expected.queryId) faults.push(SIGNED_FORMAT)
    const tokens = expected.counts ? inner.loadUintBig(64) : 0n
    if (!inner.loadAddress().equals(expected.self)) faults.push(OTHER_CONTRACT)
    if (inner.remainingBits > 0 || inner.remainingRefs > 0) faults.push(SIGNED_FORMAT)
    if (!signedBy(expected.key, payload.hash(), signature)) faults.push(SIGNATURE)
    return { excesses: excessesTo, tokens, faults }
  } catch {
    return null
  }
}

/** Codes of a body whose layout is broken: nothing after it was looked at, but anything before it may have been. */
export const BROKEN = [FORMAT, SHORT, RANGE, SIGNED_FORMAT, OTHER_CONTRACT, LOW_VALUE, CONTRACT_BALANCE]
