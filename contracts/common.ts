import { randomBytes } from 'node:crypto'
import { type Cell, toNano } from '@ton/core'
import { operation } from './cells.ts'

/** Unused value on its way back (protocol 60 §1). */
export const OP_EXCESSES = 0x2565934c
/** Money to an owner. */
export const OP_PAYOUT = 0xc59a7cd3
/** Ignored by every contract; serves as a memo. */
export const OP_DO_NOT_PROCESS = 0x9a1247c0

/** Value that every paid operation must bring along (nanoton). */
export const COMMISSION = toNano('0.1')
/** Kept by a proxy contract for its storage (nanoton). */
export const STORAGE = toNano('0.01')

/** Values that the reference attaches; the surplus returns (protocol 60 §6.2, §7; nanoton). */
export const ATTACH = {
  clientDeploy: toNano('0.8'),
  clientRegister: toNano('1'),
  clientOperation: toNano('0.7'),
  workerDeploy: toNano('0.3'),
  workerPayout: toNano('0.5'),
  stateCommit: 1n,
} as const

export interface QueryMessage {
  readonly kind: 'excesses' | 'payout'
  readonly queryId: bigint
}

/** Recognizes the two messages by which contracts return or pay money; null for anything else. */
export function parseMoneyMessage(body: Cell): QueryMessage | null {
  const slice = body.beginParse()
  if (slice.remainingBits < 96) return null
  const op = slice.loadUint(32)
  if (op !== OP_EXCESSES && op !== OP_PAYOUT) return null
  return { kind: op === OP_EXCESSES ? 'excesses' : 'payout', queryId: slice.loadUintBig(64) }
}

/** Body of `excesses`, as contracts send it. */
export function excesses(queryId: bigint): Cell {
  return operation(OP_EXCESSES, queryId).endCell()
}

/** Body of `payout`, as contracts send it. */
export function payout(queryId: bigint): Cell {
  return operation(OP_PAYOUT, queryId).endCell()
}

/** A fresh query id; uniform over 64 bits. */
export function randomQueryId(): bigint {
  return randomBytes(8).readBigUInt64BE()
}

/** op and query id at the start of any body; null when it is shorter (empty bodies, plain comments of one character). */
export function peekOperation(body: Cell): { op: number; queryId: bigint } | null {
  const slice = body.beginParse()
  if (slice.remainingBits < 96) return null
  return { op: slice.loadUint(32), queryId: slice.loadUintBig(64) }
}

const EXIT_SENTENCES: Readonly<Record<number, string>> = {
  0: 'Done.',
  1: 'Done.',
  9: 'The message is shorter or longer than its layout.',
  13: 'The attached value did not pay for the computation.',
  37: 'The account has too little to send what it had to send.',
  1000: 'Old message: the token count is not larger than the one on chain.',
  1001: 'The contract holds too little Toncoin.',
  1002: 'The balance is too low for this operation.',
  1003: 'The attached value is too low.',
  1004: 'The message has a wrong format.',
  1005: 'The signed part does not belong to this message.',
  1006: 'The contract is closed, or not in the state for this operation.',
  1007: 'The signature is wrong.',
  1008: 'The contract data are damaged or of an unknown version.',
  1009: 'The message must name the owner.',
  1010: 'Only the owner may do this.',
  1011: 'The waiting time before closing is not over yet.',
  1012: 'The contract does not know this operation.',
  1013: 'The contract does not know this text command.',
  1014: 'The message does not come from a contract of this proxy.',
  1015: 'The signed part names another contract.',
  1030: 'The wallet message has expired.',
  1031: 'The wallet is blocked by its owner.',
  1032: 'The wallet expects another sequence number.',
  1033: 'The message is for another subwallet.',
  1034: 'The wallet refuses the signature.',
  1035: 'The wallet needs at least 2 TON to send anything.',
  1040: 'Only the owner of the wallet may do this.',
  1041: 'The wallet does not know this command.',
  2000: 'The root contract has no such proxy entry.',
}

/** One plain sentence for an exit code of a Cocoon contract (protocol 60 §1, §8). */
export function exitCodeSentence(code: number): string {
  return EXIT_SENTENCES[code] ?? `The contract stopped with code ${code}.`
}
