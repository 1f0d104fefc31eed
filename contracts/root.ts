import { type Address, type Builder, beginCell, type Cell, Dictionary } from '@ton/core'
import { bytes, type ContractInit, coins, contractInit, LayoutError, operation, parseWhole, uint } from './cells.ts'
import { formatEndpoints, type ProxyEndpoints, parseEndpoints } from './net-address.ts'
import { type Params, parseParams, requireDelays, storeParams } from './params.ts'
import {
  entryCell,
  entryText,
  hash256,
  hashDict,
  hashKey,
  hexBytes,
  keyEntry,
  keySet,
  nothing,
  paramsCellOf,
} from './root-layout.ts'

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
  readonly verifiedKeys: VerifiedKeys | null
}

/** Keys that endorse certificates, lower-case hex (protocol 95 §3). */
export interface VerifiedKeys {
  readonly proxy: ReadonlySet<string>
  readonly worker: ReadonlySet<string>
  readonly keyManager: ReadonlySet<string>
}

/**
 * Reads the root account's data cell (protocol 60 §3.1, 95 §3). Struct versions 0 to 5; a later one throws
 * LayoutError with `newer`.
 */
export function parseRootState(data: Cell): RootState {
  // The version decides about the tail of the cell, so the params come first.
  const params = parseParams(paramsCellOf(data))
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
  /** From struct version 4 on. Left out: nobody, with a key of zeros that no signature matches. */
  readonly keyManager?: KeyManager
  /** From struct version 5 on. Left out: none. */
  readonly verifiedKeys?: VerifiedKeys
}

const nobody: KeyManager = { keys: [], publicKey: hash256(0n), imageHash: hash256(0n), endpoints: null }
const noKeys: VerifiedKeys = { proxy: new Set(), worker: new Set(), keyManager: new Set() }

/** Data cell of a root contract of struct version 0 to 5 (protocol 60 §3.1, 95 §3). Throws RangeError for values that do not fit. */
export function rootData(seed: RootSeed): Cell {
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
  const version = uint('version', seed.version ?? 0, 32)
  return assembled(seed.owner, version, lists, seed.params, tail(seed.params, seed.keyManager, seed.verifiedKeys))
}

function assembled(owner: Address, version: bigint, lists: Cell, params: Params, rest: readonly Cell[]): Cell {
  requireDelays(params)
  const cell = beginCell().storeAddress(owner).storeUint(version, 32).storeRef(lists).storeRef(storeParams(params, 'root'))
  for (const ref of rest) cell.storeRef(ref)
  return cell.endCell()
}

/** What the struct version appends. */
function tail({ structVersion }: Params, manager: KeyManager | undefined, verified: VerifiedKeys | undefined): Cell[] {
  if (structVersion < 4 && manager !== undefined) throw new RangeError('keyManager needs structVersion 4 or 5')
  if (structVersion < 5 && verified !== undefined) throw new RangeError('verifiedKeys needs structVersion 5')
  const cells: Cell[] = []
  if (structVersion >= 4) cells.push(keyManagerCell(manager ?? nobody))
  if (structVersion >= 5) cells.push(verifiedKeysCell(verified ?? noKeys))
  return cells
}

function keyManagerCell(manager: KeyManager): Cell {
  const keys = Dictionary.empty(hashKey, keyEntry)
  for (const key of manager.keys) {
    const publicKey = BigInt(`0x${Buffer.from(hexBytes('keyManager.keys.publicKey', key.publicKey)).toString('hex')}`)
    keys.set(publicKey, { type: key.type, expiresAtSec: key.expiresAtSec })
  }
  return beginCell()
    .storeDict(keys)
    .storeBuffer(Buffer.from(hexBytes('keyManager.publicKey', manager.publicKey)))
    .storeBuffer(Buffer.from(hexBytes('keyManager.imageHash', manager.imageHash)))
    .storeSlice(entryCell(manager.endpoints === null ? '' : formatEndpoints(manager.endpoints)).beginParse())
    .endCell()
}

function verifiedKeysCell(verified: VerifiedKeys): Cell {
  const cell = beginCell()
  for (const name of ['proxy', 'worker', 'keyManager'] as const) {
    cell.storeDict(
      hashDict(
        `verifiedKeys.${name}`,
        [...verified[name]].map((key) => hexBytes(`verifiedKeys.${name}`, key)),
      ),
    )
  }
  return cell.endCell()
}

/** What a full upgrade is to change; the rest stays as it is on chain, also entries that nobody can read. */
export interface RootChange {
  readonly owner?: Address
  /** A larger struct version appends an empty key manager and no verified keys, unless they are given. */
  readonly params?: Params
  /** Left out: one more than now. Readers take the larger version as the newer one. */
  readonly version?: number
  readonly keyManager?: KeyManager
  readonly verifiedKeys?: VerifiedKeys
}

/**
 * The present data cell with changes, for `fullUpgrade`: the only way to change multipliers or the struct version.
 * Throws LayoutError for data that is no root contract, RangeError for values that do not fit or a smaller struct version.
 */
export function upgradedRootData(data: Cell, change: RootChange): Cell {
  const now = parseRootState(data)
  const lists = data.refs[0]
  if (lists === undefined) throw new LayoutError('root: unexpected layout')
  const params = change.params ?? now.params
  if (params.structVersion < now.params.structVersion) {
    throw new RangeError(`structVersion must be ${now.params.structVersion}..5, not ${params.structVersion}`)
  }
  const version = uint('version', change.version ?? now.version + 1, 32)
  const rest = tail(
    params,
    change.keyManager ?? now.keyManager ?? undefined,
    change.verifiedKeys ?? now.verifiedKeys ?? undefined,
  )
  // What nothing replaces is kept as it is: it may hold what this software does not read.
  if (change.keyManager === undefined && data.refs[2] !== undefined) rest[0] = data.refs[2]
  if (change.verifiedKeys === undefined && data.refs[3] !== undefined) rest[1] = data.refs[3]
  return assembled(change.owner ?? now.owner, version, lists, params, rest)
}

/** Address and initial state of a root contract. The code is compiled from `root.tolk` (`contractCode.root`). */
export function rootInit(code: Cell, seed: RootSeed): ContractInit {
  return contractInit(code, rootData(seed))
}

/** Operations of the root contract's owner (protocol 60 §3.4, 95 §3). */
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
  addPublicKey: 0x6e5a646a,
  changeKeyManager: 0xb01c0fe9,
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
  | ({ op: 'addPublicKey' } & PublicKeyEntry)
  | {
      op: 'changeKeyManager'
      /** Ed25519 key that signs new public keys. */
      publicKey: Uint8Array
      imageHash: Uint8Array
      /** Null: not reachable. */
      endpoints: ProxyEndpoints | null
    }

/** The kind of key that requests are encrypted for (protocol 95 §4). */
export const ED25519_KEY_TYPE = 1

/** A key with which clients may seal prompts; roots of struct version 4 and 5 list them. */
export interface PublicKeyEntry {
  /** Ed25519, 32 bytes */
  publicKey: Uint8Array
  /** u8; `ED25519_KEY_TYPE` is the only one in use */
  type: number
  expiresAtSec: number
}

/** Body of an owner's message to the root contract. Throws RangeError for values that do not fit. */
export function rootRequest(queryId: bigint, request: RootRequest): Cell {
  const body = operation(ROOT_OPS[request.op], queryId)
  switch (request.op) {
    case 'registerProxy':
      return body.storeSlice(entryCell(formatEndpoints(request.endpoints)).beginParse()).endCell()
    case 'unregisterProxy':
      return body.storeUint(uint('seqno', request.seqno, 32), 32).endCell()
    case 'updateProxy':
      return body
        .storeUint(uint('seqno', request.seqno, 32), 32)
        .storeSlice(entryCell(formatEndpoints(request.endpoints)).beginParse())
        .endCell()
    case 'changePrice':
      return body.storeCoins(coins('pricePerToken', request.pricePerToken)).storeCoins(feeWithin(request)).endCell()
    case 'changeParams':
      requireDelays(request)
      return body
        .storeCoins(coins('pricePerToken', request.pricePerToken))
        .storeCoins(feeWithin(request))
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
    case 'addPublicKey':
      return storePublicKeyEntry(body, request).endCell()
    case 'changeKeyManager':
      return body
        .storeBuffer(bytes('publicKey', request.publicKey, 32))
        .storeBuffer(bytes('imageHash', request.imageHash, 32))
        .storeSlice(entryCell(request.endpoints === null ? '' : formatEndpoints(request.endpoints)).beginParse())
        .endCell()
    default:
      return body.storeBuffer(bytes('hash', request.hash, 32)).endCell()
  }
}

/** Key, type and end, as the messages that add a key carry them. Throws RangeError. */
export function storePublicKeyEntry(cell: Builder, entry: PublicKeyEntry): Builder {
  return cell
    .storeBuffer(bytes('publicKey', entry.publicKey, 32))
    .storeUint(uint('type', entry.type, 8), 8)
    .storeUint(uint('expiresAtSec', entry.expiresAtSec, 32), 32)
}

/** A fee above the price would make every payout fail: the proxy's part would be negative. */
function feeWithin(terms: { readonly pricePerToken: bigint; readonly workerFeePerToken: bigint }): bigint {
  const fee = coins('workerFeePerToken', terms.workerFeePerToken)
  if (fee <= terms.pricePerToken) return fee
  throw new RangeError(`workerFeePerToken must be 0..${terms.pricePerToken} (the price), not ${fee}`)
}
