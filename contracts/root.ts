import { type Address, beginCell, type Cell, Dictionary, type DictionaryValue } from '@ton/core'
import { bytes, type ContractInit, coins, contractInit, hex, operation, parseWhole, uint } from './cells.ts'
import { formatEndpoints, type ProxyEndpoints, parseEndpoints } from './net-address.ts'
import { type Params, parseParams, storeParams } from './params.ts'

export interface RegisteredProxy extends ProxyEndpoints {
  readonly seqno: number
}

/** Key with which a client may seal its prompts (protocol 95 §3, §4). */
export interface RegisteredPublicKey {
  /** Ed25519 public key, lower-case hex */
  readonly publicKey: string
  readonly type: number
  readonly expiresAtSec: number
}

export interface KeyManager {
  readonly keys: readonly RegisteredPublicKey[]
  /** lower-case hex, 32 bytes */
  readonly publicKey: string
  /** lower-case hex, 32 bytes */
  readonly imageHash: string
  readonly endpoints: ProxyEndpoints | null
}

/** Everything the root contract says. Hashes are lower-case hex of 32 bytes. */
export interface RootState {
  readonly owner: Address
  readonly version: number
  readonly lastProxySeqno: number
  readonly proxies: readonly RegisteredProxy[]
  /** Seqnos of entries that do not parse; they are kept on chain but no one can use them. */
  readonly unreadableProxies: readonly number[]
  readonly proxyHashes: ReadonlySet<string>
  readonly workerHashes: ReadonlySet<string>
  /** SHA-256 of full model names `NAME@COMMIT:HASH`. */
  readonly modelHashes: ReadonlySet<string>
  readonly params: Params
  /** From struct version 4 on. */
  readonly keyManager: KeyManager | null
  /** From struct version 5 on. */
  readonly verifiedKeys: { proxy: ReadonlySet<string>; worker: ReadonlySet<string>; keyManager: ReadonlySet<string> } | null
}

const hashKey = Dictionary.Keys.BigUint(256)
const nothing: DictionaryValue<null> = { serialize: () => undefined, parse: () => null }
/** `bit 0, u7 length, bytes` (protocol 60 §3.3). */
const entryText: DictionaryValue<string> = {
  serialize: (text, builder) => {
    builder.storeSlice(entrySlice(text).beginParse())
  },
  parse: (slice) => {
    slice.loadBit()
    return slice.loadBuffer(slice.loadUint(7)).toString('latin1')
  },
}
const keyEntry: DictionaryValue<{ type: number; expiresAtSec: number }> = {
  serialize: (value, builder) => {
    builder.storeUint(value.type, 8).storeUint(value.expiresAtSec, 32)
  },
  parse: (slice) => ({ type: slice.loadUint(8), expiresAtSec: slice.loadUint(32) }),
}

/**
 * Reads the root account's data cell (protocol 60 §3.1, 95 §3). Struct versions 0 to 5; a later one throws
 * LayoutError with `newer`.
 */
export function parseRootState(data: Cell): RootState {
  // The version decides about the tail of the cell, so the params come first.
  const params = parseWhole('root', data, (slice) => {
    slice.loadAddress()
    slice.loadUint(32)
    slice.loadRef()
    const cell = slice.loadRef()
    while (slice.remainingRefs > 0) slice.loadRef()
    slice.skip(slice.remainingBits)
    return parseParams(cell)
  })
  return parseWhole('root', data, (slice) => {
    const owner = slice.loadAddress()
    const version = slice.loadUint(32)
    const lists = parseLists(slice.loadRef())
    slice.loadRef()
    const keyManager = params.structVersion >= 4 ? parseKeyManager(slice.loadRef()) : null
    const verifiedKeys = params.structVersion >= 5 ? parseVerifiedKeys(slice.loadRef()) : null
    return { owner, version, ...lists, params, keyManager, verifiedKeys }
  })
}

function parseLists(cell: Cell) {
  return parseWhole('root lists', cell, (slice) => {
    const proxyHashes = keySet(slice.loadDict(hashKey, nothing))
    const entries = slice.loadDict(Dictionary.Keys.Uint(32), entryText)
    const lastProxySeqno = slice.loadUint(32)
    const workerHashes = keySet(slice.loadDict(hashKey, nothing))
    const modelHashes = keySet(slice.loadDict(hashKey, nothing))
    const proxies: RegisteredProxy[] = []
    const unreadableProxies: number[] = []
    for (const [seqno, text] of [...entries].sort(([a], [b]) => a - b)) {
      const endpoints = parseEndpoints(text)
      if (endpoints === null) unreadableProxies.push(seqno)
      else proxies.push({ seqno, ...endpoints })
    }
    return { proxyHashes, lastProxySeqno, workerHashes, modelHashes, proxies, unreadableProxies }
  })
}

function parseKeyManager(cell: Cell): KeyManager {
  return parseWhole('key manager', cell, (slice) => {
    const keys = [...slice.loadDict(hashKey, keyEntry)].map(([key, value]) => ({ publicKey: hash256(key), ...value }))
    const publicKey = hash256(slice.loadUintBig(256))
    const imageHash = hash256(slice.loadUintBig(256))
    const text = entryText.parse(slice)
    return { keys, publicKey, imageHash, endpoints: text === '' ? null : parseEndpoints(text) }
  })
}

function parseVerifiedKeys(cell: Cell) {
  return parseWhole('verified keys', cell, (slice) => ({
    proxy: keySet(slice.loadDict(hashKey, nothing)),
    worker: keySet(slice.loadDict(hashKey, nothing)),
    keyManager: keySet(slice.loadDict(hashKey, nothing)),
  }))
}

function keySet(dict: Dictionary<bigint, null>): ReadonlySet<string> {
  return new Set(dict.keys().map(hash256))
}

function hash256(value: bigint): string {
  return value.toString(16).padStart(64, '0')
}

function entrySlice(text: string): Cell {
  const raw = Buffer.from(text, 'latin1')
  return beginCell()
    .storeBit(0)
    .storeUint(uint('proxy entry length', raw.length, 7), 7)
    .storeBuffer(raw)
    .endCell()
}

/** What a new root contract starts with. */
export interface RootSeed {
  readonly owner: Address
  readonly params: Params
  readonly version?: number
  readonly lastProxySeqno?: number
  readonly proxies?: readonly RegisteredProxy[]
  /** 32 bytes each */
  readonly proxyHashes?: readonly Uint8Array[]
  readonly workerHashes?: readonly Uint8Array[]
  readonly modelHashes?: readonly Uint8Array[]
}

/** Data cell of a root contract of struct version 0 to 3 (protocol 60 §3.1). Throws RangeError for values that do not fit. */
export function rootData(seed: RootSeed): Cell {
  if (seed.params.structVersion > 3) throw new RangeError('structVersion must be at most 3 in a root contract of our own')
  const proxies = Dictionary.empty(Dictionary.Keys.Uint(32), entryText)
  for (const proxy of seed.proxies ?? []) proxies.set(Number(uint('seqno', proxy.seqno, 32)), formatEndpoints(proxy))
  const newest = Math.max(0, ...(seed.proxies ?? []).map((proxy) => proxy.seqno))
  const lists = beginCell()
    .storeDict(hashDict('proxyHashes', seed.proxyHashes ?? []))
    .storeDict(proxies)
    .storeUint(uint('lastProxySeqno', seed.lastProxySeqno ?? newest, 32), 32)
    .storeDict(hashDict('workerHashes', seed.workerHashes ?? []))
    .storeDict(hashDict('modelHashes', seed.modelHashes ?? []))
    .endCell()
  return beginCell()
    .storeAddress(seed.owner)
    .storeUint(uint('version', seed.version ?? 0, 32), 32)
    .storeRef(lists)
    .storeRef(storeParams(seed.params, 'root'))
    .endCell()
}

/** Address and initial state of a root contract. The code is compiled from `root.tolk` (`contractCode.root`). */
export function rootInit(code: Cell, seed: RootSeed): ContractInit {
  return contractInit(code, rootData(seed))
}

function hashDict(name: string, hashes: readonly Uint8Array[]): Dictionary<bigint, null> {
  const dict = Dictionary.empty(hashKey, nothing)
  for (const value of hashes) dict.set(BigInt(`0x${hex(bytes(name, value, 32))}`), null)
  return dict
}

/** Operations of the root contract (protocol 60 §3.4). */
export const ROOT_OPS = {
  addWorkerHash: 0xe34b1c60,
  delWorkerHash: 0x8d94a79a,
  addModelHash: 0xc146134d,
  delModelHash: 0x92b11c18,
  addProxyHash: 0x71860e80,
  delProxyHash: 0x3c41d0b2,
  registerProxy: 0x927c7cb5,
  unregisterProxy: 0x6d49eaf2,
  updateProxy: 0x9c7924ba,
  changePrice: 0xc52ed8d4,
  changeParams: 0x022fa189,
  upgradeContracts: 0xa2370f61,
  upgradeCode: 0x11aefd51,
  reset: 0x563c1d96,
  fullUpgrade: 0x4f7c5789,
  changeOwner: 0xc4a1ae54,
} as const

/** What the owner can ask of the root contract. Hashes are 32 bytes, money is nanoton. */
export type RootRequest =
  | {
      op: 'addWorkerHash' | 'delWorkerHash' | 'addModelHash' | 'delModelHash' | 'addProxyHash' | 'delProxyHash'
      hash: Uint8Array
    }
  | { op: 'registerProxy'; endpoints: ProxyEndpoints }
  | { op: 'unregisterProxy'; seqno: number }
  | { op: 'updateProxy'; seqno: number; endpoints: ProxyEndpoints }
  | { op: 'changePrice'; pricePerToken: bigint; workerFeePerToken: bigint }
  | {
      op: 'changeParams'
      pricePerToken: bigint
      workerFeePerToken: bigint
      proxyDelaySec: number
      clientDelaySec: number
      minProxyStake: bigint
      minClientStake: bigint
    }
  | { op: 'upgradeContracts'; proxy: Cell; worker: Cell; client: Cell }
  | { op: 'upgradeCode'; code: Cell }
  | { op: 'reset' }
  | { op: 'fullUpgrade'; data: Cell; code: Cell }
  | { op: 'changeOwner'; owner: Address }

/** Body of an owner's message to the root contract. Throws RangeError for values that do not fit. */
export function rootRequest(queryId: bigint, request: RootRequest): Cell {
  const body = operation(ROOT_OPS[request.op], queryId)
  switch (request.op) {
    case 'registerProxy':
      return body.storeSlice(entrySlice(formatEndpoints(request.endpoints)).beginParse()).endCell()
    case 'unregisterProxy':
      return body.storeUint(uint('seqno', request.seqno, 32), 32).endCell()
    case 'updateProxy':
      return body
        .storeUint(uint('seqno', request.seqno, 32), 32)
        .storeSlice(entrySlice(formatEndpoints(request.endpoints)).beginParse())
        .endCell()
    case 'changePrice':
      return body
        .storeCoins(coins('pricePerToken', request.pricePerToken))
        .storeCoins(coins('workerFeePerToken', request.workerFeePerToken))
        .endCell()
    case 'changeParams':
      return body
        .storeCoins(coins('pricePerToken', request.pricePerToken))
        .storeCoins(coins('workerFeePerToken', request.workerFeePerToken))
        .storeUint(uint('proxyDelaySec', request.proxyDelaySec, 32), 32)
        .storeUint(uint('clientDelaySec', request.clientDelaySec, 32), 32)
        .storeCoins(coins('minProxyStake', request.minProxyStake))
        .storeCoins(coins('minClientStake', request.minClientStake))
        .endCell()
    case 'upgradeContracts':
      return body.storeRef(request.proxy).storeRef(request.worker).storeRef(request.client).endCell()
    case 'upgradeCode':
      return body.storeRef(request.code).endCell()
    case 'reset':
      return body.endCell()
    case 'fullUpgrade':
      return body.storeRef(request.data).storeRef(request.code).endCell()
    case 'changeOwner':
      return body.storeAddress(request.owner).endCell()
    default:
      return body.storeBuffer(bytes('hash', request.hash, 32)).endCell()
  }
}
