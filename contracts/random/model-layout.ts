import { type Address, beginCell, type Cell, contractAddress, Dictionary, type DictionaryValue, type Slice } from '@ton/core'
import { type Key, keyOf } from './account.ts'

// The cells of protocol 60 §2, §3.1 and §5.2, written a second time from the specification: the model must not share a
// mistake with the wrappers or the contracts.

/** Terms of a network as the model keeps them. */
export interface Terms {
  readonly structVersion: number
  readonly paramsVersion: number
  readonly uniqueId: number
  readonly isTest: boolean
  readonly price: bigint
  readonly fee: bigint
  /** prompt, cached, completion, reasoning */
  readonly multipliers: readonly [number, number, number, number]
  readonly proxyDelay: number
  readonly clientDelay: number
  readonly minProxyStake: bigint
  readonly minClientStake: bigint
  /** proxy, worker, client */
  readonly codes: readonly [Cell, Cell, Cell]
}

/** Which code references stay: three bits, proxy first. */
export type Kept = readonly [boolean, boolean, boolean]
export const KEPT_BY_ROOT: Kept = [true, true, true]
export const KEPT_BY_PROXY: Kept = [false, true, true]
export const KEPT_BY_OTHERS: Kept = [false, false, false]

const termsCells = new Map<Kept, WeakMap<Terms, Cell>>()

export function termsCell(terms: Terms, kept: Kept): Cell {
  const cache = termsCells.get(kept) ?? new WeakMap<Terms, Cell>()
  termsCells.set(kept, cache)
  const known = cache.get(terms)
  if (known !== undefined) return known
  const version = terms.structVersion
  const builder = beginCell()
    .storeUint(version, 8)
    .storeUint(terms.paramsVersion, 32)
    .storeUint(terms.uniqueId, 32)
    .storeBit(terms.isTest)
    .storeCoins(terms.price)
    .storeCoins(terms.fee)
  const [prompt, cached, completion, reasoning] = terms.multipliers
  const multipliers = version >= 3 ? [prompt, cached, completion, reasoning] : version === 2 ? [cached, reasoning] : []
  for (const multiplier of multipliers) builder.storeUint(multiplier, 32)
  builder.storeUint(terms.proxyDelay, 32).storeUint(terms.clientDelay, 32)
  if (version > 0) builder.storeCoins(terms.minProxyStake).storeCoins(terms.minClientStake)
  for (const [index, code] of terms.codes.entries()) builder.storeMaybeRef(kept[index] ? code : null)
  const cell = builder.endCell()
  cache.set(terms, cell)
  return cell
}

export interface ClientModel {
  readonly kind: 'client'
  readonly owner: Address
  readonly proxy: Address
  readonly key: Buffer
  readonly terms: Terms
  readonly state: number
  readonly balance: bigint
  readonly stake: bigint
  readonly used: bigint
  readonly unlock: number
  readonly secret: bigint
}

export interface WorkerModel {
  readonly kind: 'worker'
  readonly owner: Address
  readonly proxy: Address
  readonly key: Buffer
  readonly terms: Terms
  readonly state: number
  readonly tokens: bigint
}

export interface ProxyModel {
  readonly kind: 'proxy'
  readonly owner: Address
  readonly key: Buffer
  readonly root: Address
  readonly terms: Terms
  readonly state: number
  readonly balance: bigint
  readonly stake: bigint
  readonly unlock: number
}

export function newClient(owner: Address, proxy: Address, key: Buffer, terms: Terms): ClientModel {
  const zero = { state: 0, balance: 0n, used: 0n, unlock: 0, secret: 0n }
  return { kind: 'client', owner, proxy, key, terms, stake: terms.minClientStake, ...zero }
}

export function newWorker(owner: Address, proxy: Address, key: Buffer, terms: Terms): WorkerModel {
  return { kind: 'worker', owner, proxy, key, terms, state: 0, tokens: 0n }
}

export function newProxy(owner: Address, key: Buffer, root: Address, terms: Terms): ProxyModel {
  return { kind: 'proxy', owner, key, root, terms, state: 0, balance: 0n, stake: 0n, unlock: 0 }
}

export function clientData(client: ClientModel): Cell {
  const fixed = beginCell().storeAddress(client.owner).storeAddress(client.proxy).storeBuffer(client.key, 32).endCell()
  return beginCell()
    .storeUint(client.state, 2)
    .storeCoins(client.balance)
    .storeCoins(client.stake)
    .storeUint(client.used, 64)
    .storeUint(client.unlock, 32)
    .storeUint(client.secret, 256)
    .storeRef(fixed)
    .storeRef(termsCell(client.terms, KEPT_BY_OTHERS))
    .endCell()
}

export function workerData(worker: WorkerModel): Cell {
  return beginCell()
    .storeAddress(worker.owner)
    .storeAddress(worker.proxy)
    .storeBuffer(worker.key, 32)
    .storeUint(worker.state, 2)
    .storeUint(worker.tokens, 64)
    .storeRef(termsCell(worker.terms, KEPT_BY_OTHERS))
    .endCell()
}

export function proxyData(proxy: ProxyModel): Cell {
  return beginCell()
    .storeAddress(proxy.owner)
    .storeBuffer(proxy.key, 32)
    .storeAddress(proxy.root)
    .storeUint(proxy.state, 2)
    .storeCoins(proxy.balance)
    .storeCoins(proxy.stake)
    .storeUint(proxy.unlock, 32)
    .storeRef(termsCell(proxy.terms, KEPT_BY_PROXY))
    .endCell()
}

const derived = new WeakMap<ProxyModel['terms'], Map<string, Key>>()

/** Address of the client or worker contract of `owner` at the proxy contract `at`. */
export function contractOf(kind: 'client' | 'worker', proxy: ProxyModel, at: Address, owner: Address): Key {
  const cache = derived.get(proxy.terms) ?? new Map<string, Key>()
  derived.set(proxy.terms, cache)
  const name = `${kind} ${at.hash.toString('hex')} ${owner.toRawString()}`
  const known = cache.get(name)
  if (known !== undefined) return known
  const { terms, key } = proxy
  const data = kind === 'client' ? clientData(newClient(owner, at, key, terms)) : workerData(newWorker(owner, at, key, terms))
  const made = keyOf(contractAddress(0, { code: terms.codes[kind === 'client' ? 2 : 1], data }))
  cache.set(name, made)
  return made
}

/** What a client contract tells its proxy contract. */
export function clientRequest(client: ClientModel, queryId: bigint, payload: Cell | null): Cell {
  const account = beginCell()
    .storeUint(client.state, 2)
    .storeCoins(client.balance)
    .storeCoins(client.stake)
    .storeUint(client.used, 64)
    .storeUint(client.secret, 256)
    .endCell()
  return head(0x65448ff4, queryId).storeAddress(client.owner).storeRef(account).storeMaybeRef(payload).endCell()
}

/** What a worker contract tells its proxy contract. */
export function workerRequest(worker: WorkerModel, queryId: bigint, payload: Cell | null): Cell {
  return head(0x4d725d2c, queryId)
    .storeAddress(worker.owner)
    .storeUint(worker.state, 2)
    .storeUint(worker.tokens, 64)
    .storeMaybeRef(payload)
    .endCell()
}

export function head(op: number, queryId: bigint) {
  return beginCell().storeUint(op, 32).storeUint(queryId, 64)
}

export const excesses = (queryId: bigint) => head(0x2565934c, queryId).endCell()
export const payout = (queryId: bigint) => head(0xc59a7cd3, queryId).endCell()

const empty: DictionaryValue<null> = { serialize: () => undefined, parse: () => null }

export function hashList(hashes: ReadonlySet<bigint>): Dictionary<bigint, null> {
  const list = Dictionary.empty(Dictionary.Keys.BigUint(256), empty)
  for (const hash of hashes) list.set(hash, null)
  return list
}

/** Runs `read` over all of a slice; null when data are short or left over. */
export function readAll<T>(source: Slice, read: (slice: Slice) => T): T | null {
  const slice = source.clone()
  try {
    const value = read(slice)
    return slice.remainingBits === 0 && slice.remainingRefs === 0 ? value : null
  } catch {
    return null
  }
}
