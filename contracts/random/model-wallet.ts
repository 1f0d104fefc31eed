import { type Address, beginCell, type Cell, loadMessageRelaxed, toNano } from '@ton/core'
import { IGNORED, type Incoming, type Outgoing, refused, STORAGE, signedBy, type Verdict } from './model-rules.ts'

// The node wallet, protocol 60 §8.

export interface WalletModel {
  readonly kind: 'wallet'
  readonly owner: Address
  readonly key: Buffer
  readonly seqno: number
  readonly status: number
}

const MINIMUM = toNano('2')
/** Accepted from anyone: excesses, payout, do not process. */
const SILENT = [0x2565934c, 0xc59a7cd3, 0x9a1247c0]
const NOT_OWNER = 1040
const UNKNOWN_COMMAND = 1041

export function walletData(wallet: WalletModel): Cell {
  return beginCell()
    .storeUint(wallet.seqno, 32)
    .storeUint(0, 32)
    .storeBuffer(wallet.key, 32)
    .storeUint(wallet.status, 32)
    .storeAddress(wallet.owner)
    .endCell()
}

export function judgeWallet(wallet: WalletModel, message: Incoming): Verdict<WalletModel> {
  const { body } = message
  if (message.bounced || (body.bits.length === 0 && body.refs.length === 0)) return IGNORED
  const rest = body.beginParse()
  const op = rest.remainingBits < 32 ? null : rest.loadUint(32)
  if (op !== null && SILENT.includes(op)) return IGNORED
  const faults = message.from.equals(wallet.owner) ? [] : [NOT_OWNER]
  if (op === 0x9c69f376 && rest.remainingBits === 72 && rest.remainingRefs === 1) {
    if (faults.length > 0) return refused(...faults)
    rest.skip(64)
    const sent = transfer(rest.loadUint(8), rest.loadRef())
    return { kind: 'done', next: wallet, keeps: null, out: [sent] }
  }
  const command = op === 0 && rest.remainingBits === 8 ? String.fromCharCode(rest.loadUint(8)) : ''
  if (command === '' || !'wbu'.includes(command)) return refused(...faults, UNKNOWN_COMMAND, 9)
  if (faults.length > 0) return refused(...faults)
  if (command !== 'w') {
    return {
      kind: 'done',
      next: { ...wallet, status: command === 'b' ? wallet.status | 1 : wallet.status & ~1 },
      keeps: null,
      out: [],
    }
  }
  const unwinding = beginCell().storeUint(0, 32).storeStringTail('w').endCell()
  return { kind: 'done', next: wallet, keeps: STORAGE, out: [{ to: wallet.owner, body: unwinding, bounce: true, value: null }] }
}

/** An external message. `balance` is what the account holds, nanoton. */
export function judgeOrder(wallet: WalletModel, body: Cell, nowSec: number, balance: bigint): Verdict<WalletModel> {
  const rest = body.beginParse()
  if (rest.remainingBits < 608) return refused(9)
  const signature = rest.loadBuffer(64)
  const signed = beginCell().storeSlice(rest.clone()).endCell()
  const faults: number[] = []
  if (rest.loadUint(32) !== 0) faults.push(1033)
  if (rest.loadUint(32) <= nowSec) faults.push(1030)
  if (rest.loadUint(32) !== wallet.seqno) faults.push(1032)
  if ((wallet.status & 1) === 1) faults.push(1031)
  if (balance < MINIMUM) faults.push(1035)
  if (!signedBy(wallet.key, signed.hash(), signature)) faults.push(1034)
  if (faults.length > 0) return refused(...faults)
  const out: Outgoing[] = []
  while (rest.remainingRefs > 0) out.push(transfer(rest.loadUint(8), rest.loadRef()))
  return { kind: 'done', next: { ...wallet, seqno: wallet.seqno + 1 }, keeps: null, out }
}

function transfer(mode: number, cell: Cell): Outgoing {
  const { info, body } = loadMessageRelaxed(cell.beginParse())
  if (info.type !== 'internal') throw new RangeError('only internal messages are expected here')
  return { to: info.dest, body, bounce: info.bounce, value: info.value.coins, paysWay: (mode & 1) === 0 }
}
