import { type Address, beginCell, type Cell, type Slice } from '@ton/core'
import {
  bytes,
  type ContractInit,
  coins,
  contractInit,
  type LifeState,
  loadBytes,
  loadLifeState,
  operation,
  parseWhole,
  uint,
} from './cells.ts'
import { type Params, parseParams, requireCode, storeParams } from './params.ts'

/** Operations of the client contract that no proxy signs (protocol 60 §6.2). */
export const CLIENT_OPS = {
  topUp: 0xf172e6c2,
  changeSecretAndTopUp: 0x8473b408,
  changeSecret: 0xa9357034,
  register: 0xc45f9f3b,
  increaseStake: 0x6a1f6a60,
  withdraw: 0xda068e78,
  requestRefund: 0xfafa6cc1,
  /** Declared by the network, implemented by no contract. */
  topUpReopen: 0x29111ceb,
} as const

/** Who a client contract belongs to; with the params it decides the address. */
export interface ClientIdentity {
  readonly owner: Address
  /** The proxy's contract, not its network address. */
  readonly proxy: Address
  /** The proxy's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** As read from the root contract: the client code comes from here. */
  readonly params: Params
}

export interface ClientState {
  readonly state: LifeState
  /** nanoton that the proxy contract holds for this client */
  readonly balance: bigint
  /** nanoton of the balance that stay until the contract closes */
  readonly stake: bigint
  /** adjusted tokens charged so far */
  readonly tokensUsed: bigint
  readonly unlockAtSec: number
  /** 32 bytes; zeros until the first change */
  readonly secretHash: Uint8Array
  readonly owner: Address
  readonly proxy: Address
  readonly publicKey: Uint8Array
  readonly params: Params
}

/** Address and initial state (protocol 60 §2). Throws LayoutError when the params carry no client code. */
export function clientInit(identity: ClientIdentity): ContractInit {
  const constants = beginCell()
    .storeAddress(identity.owner)
    .storeAddress(identity.proxy)
    .storeBuffer(bytes('publicKey', identity.publicKey, 32))
    .endCell()
  const data = beginCell()
    .storeUint(0, 2)
    .storeCoins(0)
    .storeCoins(coins('minClientStake', identity.params.minClientStake))
    .storeUint(0, 64)
    .storeUint(0, 32)
    .storeUint(0, 256)
    .storeRef(constants)
    .storeRef(storeParams(identity.params, 'plain'))
    .endCell()
  return contractInit(requireCode(identity.params, 'client'), data)
}

/** Reads the account's data cell. Throws LayoutError. */
export function parseClientState(data: Cell): ClientState {
  return parseWhole('client contract', data, (slice) => {
    const state = loadLifeState(slice)
    const balance = slice.loadCoins()
    const stake = slice.loadCoins()
    const tokensUsed = slice.loadUintBig(64)
    const unlockAtSec = slice.loadUint(32)
    const secretHash = loadBytes(slice, 32)
    const constants = parseWhole('client constants', slice.loadRef(), (inner) => ({
      owner: inner.loadAddress(),
      proxy: inner.loadAddress(),
      publicKey: loadBytes(inner, 32),
    }))
    return { state, balance, stake, tokensUsed, unlockAtSec, secretHash, ...constants, params: parseParams(slice.loadRef()) }
  })
}

/** What every message to a client contract says: the id that comes back with the answers, and who gets the surplus. */
export interface Envelope {
  readonly queryId: bigint
  readonly excesses: Address
}

/** Puts `amount` nanoton on the balance. Anyone may send it; attach amount + at least 0.1 TON. */
export function clientTopUp(envelope: Envelope, amount: bigint): Cell {
  return operation(CLIENT_OPS.topUp, envelope.queryId)
    .storeCoins(coins('amount', amount))
    .storeAddress(envelope.excesses)
    .endCell()
}

/** Owner only: a new secret hash (32 bytes) and a top up in one message. */
export function clientChangeSecretAndTopUp(envelope: Envelope, secretHash: Uint8Array, amount: bigint): Cell {
  return operation(CLIENT_OPS.changeSecretAndTopUp, envelope.queryId)
    .storeCoins(coins('amount', amount))
    .storeBuffer(bytes('secretHash', secretHash, 32))
    .storeAddress(envelope.excesses)
    .endCell()
}

/** Owner only: SHA-256 of the new secret, 32 bytes. */
export function clientChangeSecret(envelope: Envelope, secretHash: Uint8Array): Cell {
  return operation(CLIENT_OPS.changeSecret, envelope.queryId)
    .storeBuffer(bytes('secretHash', secretHash, 32))
    .storeAddress(envelope.excesses)
    .endCell()
}

/** Owner only: hands the proxy's nonce (u64) to the proxy contract, which proves who the owner is. */
export function clientRegister(envelope: Envelope, nonce: bigint): Cell {
  return operation(CLIENT_OPS.register, envelope.queryId)
    .storeUint(uint('nonce', nonce, 64), 64)
    .storeAddress(envelope.excesses)
    .endCell()
}

/** Owner only: must be larger than the present stake. (The reference omits the amount, so its own message fails.) */
export function clientIncreaseStake(envelope: Envelope, newStake: bigint): Cell {
  return operation(CLIENT_OPS.increaseStake, envelope.queryId)
    .storeCoins(coins('newStake', newStake))
    .storeAddress(envelope.excesses)
    .endCell()
}

/** Owner only: pays out what the balance holds above the stake. */
export function clientWithdraw(envelope: Envelope): Cell {
  return operation(CLIENT_OPS.withdraw, envelope.queryId).storeAddress(envelope.excesses).endCell()
}

/** Owner only: first call begins to close, second call after the delay closes and takes the balance back. */
export function clientRequestRefund(envelope: Envelope): Cell {
  return operation(CLIENT_OPS.requestRefund, envelope.queryId).storeAddress(envelope.excesses).endCell()
}

/** What an owner, or anyone with a top up, asks of a client contract. */
export type ClientMessage = { readonly queryId: bigint; readonly excesses: Address } & (
  | { readonly kind: 'top-up'; readonly amount: bigint }
  | { readonly kind: 'change-secret-and-top-up'; readonly amount: bigint; readonly secretHash: Uint8Array }
  | { readonly kind: 'change-secret'; readonly secretHash: Uint8Array }
  | { readonly kind: 'register'; readonly nonce: bigint }
  | { readonly kind: 'increase-stake'; readonly newStake: bigint }
  | { readonly kind: 'withdraw' | 'request-refund' }
)

/**
 * Reads the body of a message into a client contract. Null when it is malformed or none of these; signed messages are read by
 * `parseSigned`.
 */
export function parseClientMessage(body: Cell): ClientMessage | null {
  try {
    return parseWhole('message to client', body, (slice) => {
      const op = slice.loadUint(32)
      const queryId = slice.loadUintBig(64)
      const rest = loadClientFields(op, slice)
      return { ...rest, queryId, excesses: slice.loadAddress() }
    })
  } catch {
    return null
  }
}

function loadClientFields(op: number, slice: Slice) {
  switch (op) {
    case CLIENT_OPS.topUp:
      return { kind: 'top-up' as const, amount: slice.loadCoins() }
    case CLIENT_OPS.changeSecretAndTopUp:
      return { kind: 'change-secret-and-top-up' as const, amount: slice.loadCoins(), secretHash: loadBytes(slice, 32) }
    case CLIENT_OPS.changeSecret:
      return { kind: 'change-secret' as const, secretHash: loadBytes(slice, 32) }
    case CLIENT_OPS.register:
      return { kind: 'register' as const, nonce: slice.loadUintBig(64) }
    case CLIENT_OPS.increaseStake:
      return { kind: 'increase-stake' as const, newStake: slice.loadCoins() }
    case CLIENT_OPS.withdraw:
      return { kind: 'withdraw' as const }
    case CLIENT_OPS.requestRefund:
      return { kind: 'request-refund' as const }
    default:
      throw new RangeError('another operation')
  }
}
