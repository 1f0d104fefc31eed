import { Address, beginCell, type Cell, storeShardAccount } from '@ton/core'
import { createEmptyShardAccount } from '@ton/sandbox'
import { type RawCell, rawHash, rawReader, rawToCell, readRawBoc } from './raw-boc.ts'

/** An account: 64 hex digits, with the workchain before them when it is another than 0. */
export type Key = string

export function keyOf(address: Address): Key {
  const hash = address.hash.toString('hex')
  return address.workChain === 0 ? hash : `${address.workChain}:${hash}`
}

const addresses = new Map<Key, Address>()

export function addressOf(key: Key): Address {
  const known = addresses.get(key)
  if (known !== undefined) return known
  const made = key.includes(':') ? Address.parseRaw(key) : new Address(0, Buffer.from(key, 'hex'))
  addresses.set(key, made)
  return made
}

/** What the chain knows of an account. */
export interface Account {
  /** The form that the emulator takes and returns. */
  readonly shard: string
  readonly status: 'none' | 'uninit' | 'active' | 'frozen'
  /** nanoton */
  readonly balance: bigint
  /** Storage rent that could not be taken yet, nanoton. */
  readonly due: bigint
  /** For the whole account, as the chain counts it for rent. */
  readonly used: { readonly cells: number; readonly bits: number }
  readonly code: RawCell | null
  readonly data: RawCell | null
}

export function emptyAccount(key: Key): Account {
  const shard = beginCell()
    .store(storeShardAccount(createEmptyShardAccount(addressOf(key))))
    .endCell()
    .toBoc()
    .toString('base64')
  return { shard, status: 'none', balance: 0n, due: 0n, used: { cells: 0, bits: 0 }, code: null, data: null }
}

/** Reads the emulator's answer (block.tlb: ShardAccount). */
export function readAccount(shard: string): Account {
  const account = readRawBoc(shard).refs[0]
  if (account === undefined) throw new RangeError('a shard account without an account')
  const bits = rawReader(account)
  if (!bits.loadBit()) return { shard, status: 'none', balance: 0n, due: 0n, used: { cells: 0, bits: 0 }, code: null, data: null }
  bits.loadAddress()
  const used = { cells: bits.loadVarUint(3), bits: bits.loadVarUint(3) }
  if (bits.loadUint(3) === 1) bits.skip(256)
  bits.skip(32)
  const due = bits.loadBit() ? bits.loadCoins() : 0n
  bits.skip(64)
  const balance = bits.loadCoins()
  if (bits.loadBit()) throw new RangeError('extra currencies are not expected here')
  if (!bits.loadBit()) {
    const status = bits.loadBit() ? 'frozen' : 'uninit'
    return { shard, status, balance, due, used, code: null, data: null }
  }
  if (bits.loadBit()) throw new RangeError('a split depth is not expected here')
  if (bits.loadBit()) throw new RangeError('a special account is not expected here')
  const refs = [...account.refs]
  const code = bits.loadBit() ? (refs.shift() ?? null) : null
  const data = bits.loadBit() ? (refs.shift() ?? null) : null
  return { shard, status: 'active', balance, due, used, code, data }
}

export function dataHash(account: Account): string | null {
  return account.data === null ? null : rawHash(account.data).toString('hex')
}

export function dataCell(account: Account): Cell {
  if (account.data === null) throw new RangeError('an account without data')
  return rawToCell(account.data)
}
