import { type Address, beginCell, type Cell } from '@ton/core'
import {
  bytes,
  type ContractInit,
  contractInit,
  type LifeState,
  loadBytes,
  loadLifeState,
  operation,
  parseWhole,
} from './cells.ts'
import type { Envelope } from './client.ts'
import { type Params, parseParams, requireCode, storeParams } from './params.ts'

/** Operations of the worker contract that no proxy signs (protocol 60 §7). */
export const WORKER_OPS = { register: 0x26ed7f65 } as const

/** Who a worker contract belongs to; with the params it decides the address. */
export interface WorkerIdentity {
  /** Who is paid. */
  readonly owner: Address
  /** The proxy's contract. */
  readonly proxy: Address
  /** The proxy's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** As read from the root contract: the worker code comes from here. */
  readonly params: Params
}

export interface WorkerState {
  readonly owner: Address
  readonly proxy: Address
  readonly publicKey: Uint8Array
  readonly state: LifeState
  /** adjusted tokens paid so far */
  readonly tokens: bigint
  readonly params: Params
}

/** Address and initial state (protocol 60 §2). Throws LayoutError when the params carry no worker code. */
export function workerInit(identity: WorkerIdentity): ContractInit {
  const data = beginCell()
    .storeAddress(identity.owner)
    .storeAddress(identity.proxy)
    .storeBuffer(bytes('publicKey', identity.publicKey, 32))
    .storeUint(0, 2)
    .storeUint(0, 64)
    .storeRef(storeParams(identity.params, 'plain'))
    .endCell()
  return contractInit(requireCode(identity.params, 'worker'), data)
}

/** Reads the account's data cell. Throws LayoutError. */
export function parseWorkerState(data: Cell): WorkerState {
  return parseWhole('worker contract', data, (slice) => ({
    owner: slice.loadAddress(),
    proxy: slice.loadAddress(),
    publicKey: loadBytes(slice, 32),
    state: loadLifeState(slice),
    tokens: slice.loadUintBig(64),
    params: parseParams(slice.loadRef()),
  }))
}

/** Owner only: tells the proxy contract about this worker contract. */
export function workerRegister(envelope: Envelope): Cell {
  return operation(WORKER_OPS.register, envelope.queryId).storeAddress(envelope.excesses).endCell()
}

/** Reads the body of an owner's registration. Null when it is anything else; signed messages are read by `parseSigned`. */
export function parseWorkerMessage(body: Cell): ({ readonly kind: 'register' } & Envelope) | null {
  try {
    return parseWhole('message to worker', body, (slice) => {
      if (slice.loadUint(32) !== WORKER_OPS.register) throw new RangeError('another operation')
      return { kind: 'register' as const, queryId: slice.loadUintBig(64), excesses: slice.loadAddress() }
    })
  } catch {
    return null
  }
}
