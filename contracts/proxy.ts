import { type Address, beginCell, type Cell } from '@ton/core'
import {
  bytes,
  type ContractInit,
  coins,
  contractInit,
  int,
  type LifeState,
  loadBytes,
  loadLifeState,
  operation,
  parseWhole,
} from './cells.ts'
import type { Envelope } from './client.ts'
import { OP_DO_NOT_PROCESS } from './common.ts'
import { type Params, parseParams, requireCode, storeParams } from './params.ts'

/** Operations of the proxy contract that no proxy signs (protocol 60 §5.2). */
export const PROXY_OPS = {
  workerRequest: 0x4d725d2c,
  clientRequest: 0x65448ff4,
  payoutRequest: 0x7610e6eb,
  increaseStake: 0x9713f187,
  ownerClose: 0xb51d5a01,
} as const

/** Operations of the payloads inside `worker request` and `client request`. */
export const PROXY_PAYLOAD_OPS = {
  workerPayout: 0x08e7d036,
  clientTopUp: 0x5cfc6b87,
  clientRegister: 0xa35cb580,
  clientRefundGranted: 0xc68ebc7b,
  clientRefundForce: 0xf4c354c9,
} as const

const STATE_COMMIT = 0x53109c0f

/** Who a proxy contract belongs to; with the params it decides the address. */
export interface ProxyIdentity {
  readonly owner: Address
  /** The proxy's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** The root contract. */
  readonly root: Address
  /** As read from the root contract: the code of all three contracts comes from here. */
  readonly params: Params
}

export interface ProxyState {
  readonly owner: Address
  readonly publicKey: Uint8Array
  readonly root: Address
  readonly state: LifeState
  /** nanoton of commission earned; not the account's balance, which holds the clients' money too */
  readonly balance: bigint
  /** nanoton deposited; limits forced refunds */
  readonly stake: bigint
  readonly unlockAtSec: number
  /** With worker and client code, without proxy code. */
  readonly params: Params
}

/** Address and initial state (protocol 60 §2). Throws LayoutError when the params carry no proxy code. */
export function proxyInit(identity: ProxyIdentity): ContractInit {
  const data = beginCell()
    .storeAddress(identity.owner)
    .storeBuffer(bytes('publicKey', identity.publicKey, 32))
    .storeAddress(identity.root)
    .storeUint(0, 2)
    .storeCoins(0)
    .storeCoins(0)
    .storeUint(0, 32)
    .storeRef(storeParams(identity.params, 'proxy'))
    .endCell()
  return contractInit(requireCode(identity.params, 'proxy'), data)
}

/** Reads the account's data cell. Throws LayoutError. */
export function parseProxyState(data: Cell): ProxyState {
  return parseWhole('proxy contract', data, (slice) => ({
    owner: slice.loadAddress(),
    publicKey: loadBytes(slice, 32),
    root: slice.loadAddress(),
    state: loadLifeState(slice),
    balance: slice.loadCoins(),
    stake: slice.loadCoins(),
    unlockAtSec: slice.loadUint(32),
    params: parseParams(slice.loadRef()),
  }))
}

/** A worker contract tells its proxy contract about itself. The sender must be checked by deriving its address. */
export interface WorkerRequest {
  readonly kind: 'worker-request'
  readonly queryId: bigint
  readonly owner: Address
  readonly state: LifeState
  readonly tokens: bigint
  readonly payload: {
    readonly kind: 'payout'
    readonly workerPart: bigint
    readonly proxyPart: bigint
    readonly excesses: Address
  } | null
}

export type ClientRequestPayload =
  | { readonly kind: 'top-up' | 'refund-granted' | 'refund-force'; readonly amount: bigint; readonly excesses: Address }
  | { readonly kind: 'register'; readonly nonce: bigint }

/** A client contract tells its proxy contract its new state. The sender must be checked by deriving its address. */
export interface ClientRequest {
  readonly kind: 'client-request'
  readonly queryId: bigint
  readonly owner: Address
  readonly state: LifeState
  readonly balance: bigint
  readonly stake: bigint
  readonly tokensUsed: bigint
  readonly secretHash: Uint8Array
  readonly payload: ClientRequestPayload | null
}

/** The proxy's own memo: its database up to `seqno` of this session is final (protocol 60 §5.4). */
export interface StateCommit {
  readonly kind: 'state-commit'
  readonly queryId: bigint
  readonly seqno: number
  readonly sessionHash: Uint8Array
}

export type ProxyMessage = WorkerRequest | ClientRequest | StateCommit

/**
 * Reads the body of a message into the proxy contract. Null when it is none of the three kinds that the proxy software
 * follows, or malformed: anyone can send anything there.
 */
export function parseProxyMessage(body: Cell): ProxyMessage | null {
  try {
    return parseWhole('message to proxy', body, (slice) => {
      const op = slice.loadUint(32)
      const queryId = slice.loadUintBig(64)
      if (op === PROXY_OPS.workerRequest) {
        const owner = slice.loadAddress()
        const state = loadLifeState(slice)
        const tokens = slice.loadUintBig(64)
        const payload = slice.loadMaybeRef()
        return {
          kind: 'worker-request',
          queryId,
          owner,
          state,
          tokens,
          payload: payload === null ? null : parseWorkerPayload(payload),
        }
      }
      if (op === PROXY_OPS.clientRequest) {
        const owner = slice.loadAddress()
        const account = parseWhole('client request', slice.loadRef(), (inner) => ({
          state: loadLifeState(inner),
          balance: inner.loadCoins(),
          stake: inner.loadCoins(),
          tokensUsed: inner.loadUintBig(64),
          secretHash: loadBytes(inner, 32),
        }))
        const payload = slice.loadMaybeRef()
        return {
          kind: 'client-request',
          queryId,
          owner,
          ...account,
          payload: payload === null ? null : parseClientPayload(payload),
        }
      }
      if (op === OP_DO_NOT_PROCESS && slice.loadUint(32) === STATE_COMMIT) {
        return { kind: 'state-commit', queryId, seqno: slice.loadInt(32), sessionHash: loadBytes(slice, 32) }
      }
      throw new RangeError('another operation')
    })
  } catch {
    return null
  }
}

function parseWorkerPayload(cell: Cell): NonNullable<WorkerRequest['payload']> {
  return parseWhole('worker payload', cell, (slice) => {
    if (slice.loadUint(32) !== PROXY_PAYLOAD_OPS.workerPayout) throw new RangeError('unknown worker payload')
    return { kind: 'payout', workerPart: slice.loadCoins(), proxyPart: slice.loadCoins(), excesses: slice.loadAddress() }
  })
}

function parseClientPayload(cell: Cell): ClientRequestPayload {
  return parseWhole('client payload', cell, (slice) => {
    const op = slice.loadUint(32)
    if (op === PROXY_PAYLOAD_OPS.clientRegister) return { kind: 'register', nonce: slice.loadUintBig(64) }
    const kind = moneyPayload(op)
    if (kind === null) throw new RangeError('unknown client payload')
    return { kind, amount: slice.loadCoins(), excesses: slice.loadAddress() }
  })
}

function moneyPayload(op: number): 'top-up' | 'refund-granted' | 'refund-force' | null {
  if (op === PROXY_PAYLOAD_OPS.clientTopUp) return 'top-up'
  if (op === PROXY_PAYLOAD_OPS.clientRefundGranted) return 'refund-granted'
  return op === PROXY_PAYLOAD_OPS.clientRefundForce ? 'refund-force' : null
}

/** What owners and strangers ask of a proxy contract, without the signed messages and the requests of other contracts. */
export type ProxyOrder =
  | ({ readonly kind: 'payout-request' | 'owner-close' } & Envelope)
  | ({ readonly kind: 'increase-stake'; readonly amount: bigint } & Envelope)
  | { readonly kind: 'text'; readonly command: 'c' | 'w' }

/** Reads the body of such an order. Null when it is malformed or anything else. */
export function parseProxyOrder(body: Cell): ProxyOrder | null {
  try {
    return parseWhole('order to proxy', body, (slice): ProxyOrder => {
      const op = slice.loadUint(32)
      if (op === 0) {
        const command = String.fromCharCode(slice.loadUint(8))
        if (command !== 'c' && command !== 'w') throw new RangeError('another text')
        return { kind: 'text', command }
      }
      const queryId = slice.loadUintBig(64)
      if (op === PROXY_OPS.increaseStake) {
        return { kind: 'increase-stake', queryId, amount: slice.loadCoins(), excesses: slice.loadAddress() }
      }
      if (op === PROXY_OPS.payoutRequest) return { kind: 'payout-request', queryId, excesses: slice.loadAddress() }
      if (op === PROXY_OPS.ownerClose) return { kind: 'owner-close', queryId, excesses: slice.loadAddress() }
      throw new RangeError('another operation')
    })
  } catch {
    return null
  }
}

/** Anyone: pays the commission to the proxy's owner. Attach at least 0.1 TON. */
export function proxyPayoutRequest(envelope: Envelope): Cell {
  return operation(PROXY_OPS.payoutRequest, envelope.queryId).storeAddress(envelope.excesses).endCell()
}

/** Anyone: deposits `amount` nanoton as stake. Attach amount + at least 0.1 TON. */
export function proxyIncreaseStake(envelope: Envelope, amount: bigint): Cell {
  return operation(PROXY_OPS.increaseStake, envelope.queryId)
    .storeCoins(coins('amount', amount))
    .storeAddress(envelope.excesses)
    .endCell()
}

/** Owner only: begins to close. (The reference leaves the query id out, so its own message fails.) */
export function proxyOwnerClose(envelope: Envelope): Cell {
  return operation(PROXY_OPS.ownerClose, envelope.queryId).storeAddress(envelope.excesses).endCell()
}

/** Owner only: the text commands `c` (close) and `w` (withdraw the commission). */
export function proxyText(command: 'c' | 'w'): Cell {
  return beginCell().storeUint(0, 32).storeBuffer(Buffer.from(command, 'ascii')).endCell()
}

/** The memo of protocol 60 §5.4; `sessionHash` is 32 bytes. Sent by the proxy's wallet with 1 nanoton. */
export function stateCommitMemo(commit: Omit<StateCommit, 'kind'>): Cell {
  return operation(OP_DO_NOT_PROCESS, commit.queryId)
    .storeUint(STATE_COMMIT, 32)
    .storeInt(int('seqno', commit.seqno, 32), 32)
    .storeBuffer(bytes('sessionHash', commit.sessionHash, 32))
    .endCell()
}
