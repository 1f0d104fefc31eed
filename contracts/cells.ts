import { type Address, type Builder, beginCell, type Cell, contractAddress, type Slice, type StateInit } from '@ton/core'

/**
 * Chain data that does not have the expected layout. `newer` says that a struct version was met which this
 * software does not know yet: the way out is an update, not a retry.
 */
export class LayoutError extends Error {
  readonly newer: boolean

  constructor(message: string, options: { newer?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LayoutError'
    this.newer = options.newer ?? false
  }
}

/** Address and initial state of a contract that may not be deployed yet. */
export interface ContractInit {
  readonly address: Address
  readonly init: Required<Pick<StateInit, 'code' | 'data'>> & { readonly code: Cell; readonly data: Cell }
}

/** Address in workchain 0 = hash of the StateInit (protocol 60 §2). */
export function contractInit(code: Cell, data: Cell): ContractInit {
  const init = { code, data }
  return { address: contractAddress(0, init), init }
}

/** `value` as an unsigned integer of `bits` bits. Throws RangeError that names the field. */
export function uint(name: string, value: bigint | number, bits: number): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${name} must be a whole number, not ${value}`)
  const big = BigInt(value)
  if (big < 0n || big >= 1n << BigInt(bits)) throw new RangeError(`${name} must be 0..2^${bits}-1, not ${big}`)
  return big
}

/** `value` as a signed integer of `bits` bits. Throws RangeError that names the field. */
export function int(name: string, value: bigint | number, bits: number): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${name} must be a whole number, not ${value}`)
  const big = BigInt(value)
  const half = 1n << BigInt(bits - 1)
  if (big < -half || big >= half) throw new RangeError(`${name} must be -2^${bits - 1}..2^${bits - 1}-1, not ${big}`)
  return big
}

/** Nanotons that fit in VarUInteger 16. Throws RangeError that names the field. */
export function coins(name: string, value: bigint): bigint {
  return uint(name, value, 120)
}

/** Exactly `length` bytes. Throws RangeError that names the field. */
export function bytes(name: string, value: Uint8Array, length: number): Buffer {
  if (value.length !== length) throw new RangeError(`${name} must be ${length} bytes, not ${value.length}`)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Loads bytes as a plain Uint8Array that shares nothing with the cell. */
export function loadBytes(slice: Slice, length: number): Uint8Array {
  return new Uint8Array(slice.loadBuffer(length))
}

export function hex(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
}

/** Body of every operation: op, query id, then the fields. */
export function operation(op: number, queryId: bigint): Builder {
  return beginCell()
    .storeUint(op, 32)
    .storeUint(uint('queryId', queryId, 64), 64)
}

/** Runs a parser over a whole cell; trailing bits or references and short data become LayoutError. */
export function parseWhole<T>(what: string, cell: Cell, parse: (slice: Slice) => T): T {
  try {
    const slice = cell.beginParse()
    const value = parse(slice)
    slice.endParse()
    return value
  } catch (cause) {
    if (cause instanceof LayoutError) throw cause
    throw new LayoutError(`${what}: unexpected layout`, { cause })
  }
}

/** 0 normal, 1 closing, 2 closed (protocol 60 §5.1). */
export const LIFE_STATES = ['normal', 'closing', 'closed'] as const
export type LifeState = (typeof LIFE_STATES)[number]

export function loadLifeState(slice: Slice): LifeState {
  const state = LIFE_STATES[slice.loadUint(2)]
  if (state === undefined) throw new LayoutError('contract state 3 has no meaning')
  return state
}
