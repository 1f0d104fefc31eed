import {
  type Address,
  beginCell,
  Cell,
  external,
  loadMessageRelaxed,
  type MessageRelaxed,
  type StateInit,
  storeMessage,
  storeMessageRelaxed,
} from '@ton/core'
import { signVerify } from '@ton/crypto'
import { bytes, type ContractInit, contractInit, loadBytes, operation, parseWhole, uint } from './cells.ts'
import type { HashSigner } from './signed.ts'
import { cocoonWalletCode } from './wallet-code.ts'

/** Below this balance (nanoton) the wallet refuses to send (protocol 60 §8, exit code 1035). */
export const WALLET_MINIMUM = 2_000_000_000n
const OP_OWNER_SEND = 0x9c69f376

export interface CocoonWalletState {
  readonly seqno: number
  readonly subwallet: number
  /** 32 bytes */
  readonly publicKey: Uint8Array
  readonly blocked: boolean
  readonly owner: Address
}

/** Address and initial state of a node's wallet: its Ed25519 key (32 bytes) and the owner that may take everything back. */
export function cocoonWalletInit(publicKey: Uint8Array, owner: Address): ContractInit {
  const data = beginCell()
    .storeUint(0, 32)
    .storeUint(0, 32)
    .storeBuffer(bytes('publicKey', publicKey, 32))
    .storeUint(0, 32)
    .storeAddress(owner)
    .endCell()
  return contractInit(cocoonWalletCode, data)
}

/** Reads the account's data cell. Throws LayoutError. */
export function parseCocoonWalletState(data: Cell): CocoonWalletState {
  return parseWhole('cocoon wallet', data, (slice) => ({
    seqno: slice.loadUint(32),
    subwallet: slice.loadUint(32),
    publicKey: loadBytes(slice, 32),
    blocked: (slice.loadUint(32) & 1) === 1,
    owner: slice.loadAddress(),
  }))
}

export interface WalletTransfer {
  /** The internal message, or its cell. */
  readonly message: MessageRelaxed | Cell
  /** TVM send mode; the reference uses 0, or 1 for values of at most 1 nanoton. Default: the same. */
  readonly mode?: number
}

/** Signed body of an external message with 1 to 4 transfers. Throws RangeError. */
export function cocoonWalletBody(
  order: { readonly seqno: number; readonly validUntilSec: number; readonly transfers: readonly WalletTransfer[] },
  signer: HashSigner,
): Cell {
  if (order.transfers.length < 1 || order.transfers.length > 4) {
    throw new RangeError(`transfers must be 1..4, not ${order.transfers.length}`)
  }
  const unsigned = beginCell()
    .storeUint(0, 32)
    .storeUint(uint('validUntilSec', order.validUntilSec, 32), 32)
    .storeUint(uint('seqno', order.seqno, 32), 32)
  for (const transfer of order.transfers) {
    unsigned.storeUint(uint('mode', transfer.mode ?? defaultMode(transfer.message), 8), 8).storeRef(messageCell(transfer.message))
  }
  const body = unsigned.endCell()
  return beginCell()
    .storeBuffer(bytes('signature', signer(body.hash()), 64))
    .storeSlice(body.beginParse())
    .endCell()
}

function messageCell(message: MessageRelaxed | Cell): Cell {
  return message instanceof Cell ? message : beginCell().store(storeMessageRelaxed(message)).endCell()
}

function defaultMode(source: MessageRelaxed | Cell): number {
  const message = source instanceof Cell ? loadMessageRelaxed(source.beginParse()) : source
  return message.info.type === 'internal' && message.info.value.coins <= 1n ? 1 : 0
}

/** External message as a BoC for the network; pass `init` with the first one, to deploy. */
export function cocoonWalletExternal(address: Address, body: Cell, init?: StateInit): Uint8Array {
  const message = external({ to: address, body, ...(init === undefined ? {} : { init }) })
  return new Uint8Array(
    beginCell()
      .store(storeMessage(message, { forceRef: true }))
      .endCell()
      .toBoc(),
  )
}

/** Body by which the owner makes the wallet send one message. */
export function walletOwnerSend(queryId: bigint, transfer: WalletTransfer): Cell {
  return operation(OP_OWNER_SEND, queryId)
    .storeUint(uint('mode', transfer.mode ?? defaultMode(transfer.message), 8), 8)
    .storeRef(messageCell(transfer.message))
    .endCell()
}

/** Owner's text commands: `w` everything except 0.01 TON to the owner, `b` block, `u` unblock. */
export function walletOwnerText(command: 'w' | 'b' | 'u'): Cell {
  return beginCell().storeUint(0, 32).storeBuffer(Buffer.from(command, 'ascii')).endCell()
}

/** An external order as the wallet reads it. Its signature is not checked yet: see `walletOrderIsSigned`. */
export interface WalletOrder {
  /** 64 bytes */
  readonly signature: Uint8Array
  /** 32 bytes; what was signed: the body without the signature */
  readonly signedHash: Uint8Array
  readonly subwallet: number
  readonly validUntilSec: number
  readonly seqno: number
  readonly transfers: readonly { readonly mode: number; readonly message: Cell }[]
}

/** Reads the body of an external message. Throws LayoutError. */
export function parseWalletOrder(body: Cell): WalletOrder {
  return parseWhole('wallet order', body, (slice) => {
    const signature = loadBytes(slice, 64)
    const signedHash = new Uint8Array(beginCell().storeSlice(slice.clone()).endCell().hash())
    const subwallet = slice.loadUint(32)
    const validUntilSec = slice.loadUint(32)
    const seqno = slice.loadUint(32)
    const transfers = []
    while (slice.remainingRefs > 0) transfers.push({ mode: slice.loadUint(8), message: slice.loadRef() })
    return { signature, signedHash, subwallet, validUntilSec, seqno, transfers }
  })
}

/** Whether this key (32 bytes) signed the order. */
export function walletOrderIsSigned(order: WalletOrder, publicKey: Uint8Array): boolean {
  return signVerify(Buffer.from(order.signedHash), Buffer.from(order.signature), bytes('publicKey', publicKey, 32))
}

/** What the owner asks by an internal message. */
export type WalletOwnerMessage =
  | { readonly kind: 'send'; readonly queryId: bigint; readonly mode: number; readonly message: Cell }
  | { readonly kind: 'text'; readonly command: 'w' | 'b' | 'u' }

/** Reads the body of such a message. Null when it is malformed or anything else. */
export function parseWalletOwnerMessage(body: Cell): WalletOwnerMessage | null {
  try {
    return parseWhole('message to wallet', body, (slice): WalletOwnerMessage => {
      const op = slice.loadUint(32)
      if (op === OP_OWNER_SEND) {
        return { kind: 'send', queryId: slice.loadUintBig(64), mode: slice.loadUint(8), message: slice.loadRef() }
      }
      const command = op === 0 ? String.fromCharCode(slice.loadUint(8)) : ''
      if (command !== 'w' && command !== 'b' && command !== 'u') throw new RangeError('another operation')
      return { kind: 'text', command }
    })
  } catch {
    return null
  }
}
