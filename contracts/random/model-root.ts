import { type Address, beginCell, type Cell, Dictionary, type DictionaryValue, type Slice } from '@ton/core'
import { hashList, KEPT_BY_ROOT, readAll, type Terms, termsCell } from './model-layout.ts'
import {
  BROKEN,
  FORMAT,
  type Incoming,
  leave,
  NOT_OWNER,
  OLD,
  operationOf,
  refused,
  SHORT,
  SIGNATURE,
  SIGNED_FORMAT,
  STORAGE,
  signedBy,
  surplus,
  UNKNOWN_ENTRY,
  UNKNOWN_OP,
  type Verdict,
} from './model-rules.ts'

// Protocol 60 §3 and 95 §3, and docs/contracts.md where they are silent.

export interface KeyManagerModel {
  /** By key; type and end in seconds. */
  readonly keys: ReadonlyMap<bigint, { readonly type: number; readonly end: number }>
  readonly key: bigint
  readonly image: bigint
  readonly entry: Buffer
}

export interface RootModel {
  readonly kind: 'root'
  readonly code: Cell
  readonly owner: Address
  readonly version: number
  readonly proxyHashes: ReadonlySet<bigint>
  readonly entries: ReadonlyMap<number, Buffer>
  readonly lastSeqno: number
  readonly workerHashes: ReadonlySet<bigint>
  readonly modelHashes: ReadonlySet<bigint>
  readonly terms: Terms
  /** From struct version 4 on. */
  readonly manager: KeyManagerModel | null
  /** From struct version 5 on, kept as it is. */
  readonly verified: Cell | null
}

const entryValue: DictionaryValue<Buffer> = {
  serialize: (bytes, builder) => {
    builder.storeUint(0, 1).storeUint(bytes.length, 7).storeBuffer(bytes)
  },
  parse: () => {
    throw new RangeError('the model only writes')
  },
}
const keyValue: DictionaryValue<{ readonly type: number; readonly end: number }> = {
  serialize: (value, builder) => {
    builder.storeUint(value.type, 8).storeUint(value.end, 32)
  },
  parse: entryValue.parse as never,
}

export function rootData(root: RootModel): Cell {
  const entries = Dictionary.empty(Dictionary.Keys.Uint(32), entryValue)
  for (const [seqno, bytes] of root.entries) entries.set(seqno, bytes)
  const lists = beginCell()
    .storeDict(hashList(root.proxyHashes))
    .storeDict(entries)
    .storeUint(root.lastSeqno, 32)
    .storeDict(hashList(root.workerHashes))
    .storeDict(hashList(root.modelHashes))
    .endCell()
  const data = beginCell()
    .storeAddress(root.owner)
    .storeUint(root.version, 32)
    .storeRef(lists)
    .storeRef(termsCell(root.terms, KEPT_BY_ROOT))
  if (root.manager !== null) data.storeRef(managerCell(root.manager))
  if (root.verified !== null) data.storeRef(root.verified)
  return data.endCell()
}

function managerCell(manager: KeyManagerModel): Cell {
  const keys = Dictionary.empty(Dictionary.Keys.BigUint(256), keyValue)
  for (const [key, value] of manager.keys) keys.set(key, value)
  const cell = beginCell().storeDict(keys).storeUint(manager.key, 256).storeUint(manager.image, 256)
  entryValue.serialize(manager.entry, cell)
  return cell.endCell()
}

/** What a full upgrade puts in place, by the hash of its data: the model does not read foreign data. */
export type Drafts = ReadonlyMap<string, RootModel>

const HASH_OPS: Readonly<Record<number, readonly ['proxyHashes' | 'workerHashes' | 'modelHashes', boolean]>> = {
  3813350496: ['workerHashes', true],
  2375329690: ['workerHashes', false],
  3242595149: ['modelHashes', true],
  2461080600: ['modelHashes', false],
  1904610944: ['proxyHashes', true],
  1010946226: ['proxyHashes', false],
}
const DEFAULT_STAKE = 1_000_000_000n
const YEAR_SEC = 365 * 86_400

export function judgeRoot(root: RootModel, message: Incoming, drafts: Drafts): Verdict<RootModel> {
  const start = operationOf(message)
  if (message.bounced) return { kind: 'ignored' }
  if ('kind' in start) return start
  const { op, rest } = start
  const faults = op !== 0x9e0e1821 && !message.from.equals(root.owner) ? [NOT_OWNER] : []
  if (rest.remainingBits < 64) return refused(...faults, FORMAT)
  const queryId = rest.loadUintBig(64)
  if (op === 0x9e0e1821) return addSigned(root, message, queryId, rest)
  const read = change(root, op, message.nowSec, drafts)
  if (read === null) return refused(...faults, UNKNOWN_OP)
  const changed = readAll(rest, read)
  if (changed === null) return refused(...faults, ...BROKEN, UNKNOWN_ENTRY)
  if (typeof changed === 'number') return refused(...faults, changed)
  if (faults.length > 0) return refused(...faults)
  const version = op === 0x4f7c5789 ? changed.version : root.version + 1
  return done({ ...changed, version }, message, root.owner, queryId)
}

function done(next: RootModel, message: Incoming, to: Address, queryId: bigint): Verdict<RootModel> {
  return { kind: 'done', next, keeps: leave(message, STORAGE), out: [surplus(to, queryId)] }
}

/** Reads the fields of an operation into the changed contract or a code of refusal; null for an unknown operation. */
function change(root: RootModel, op: number, nowSec: number, drafts: Drafts): ((slice: Slice) => RootModel | number) | null {
  const hashes = HASH_OPS[op]
  if (hashes !== undefined) {
    const [list, adds] = hashes
    return (slice) => {
      const changed = new Set(root[list])
      const hash = slice.loadUintBig(256)
      if (adds) changed.add(hash)
      else changed.delete(hash)
      return { ...root, [list]: changed }
    }
  }
  switch (op) {
    case 0x927c7cb5:
      return (slice) => {
        const lastSeqno = root.lastSeqno + 1
        return { ...root, lastSeqno, entries: new Map([...root.entries, [lastSeqno, loadEntry(slice)]]) }
      }
    case 0x6d49eaf2:
      return (slice) => {
        const entries = new Map(root.entries)
        return entries.delete(slice.loadUint(32)) ? { ...root, entries } : UNKNOWN_ENTRY
      }
    case 0x9c7924ba:
      return (slice) => {
        const seqno = slice.loadUint(32)
        const entry = loadEntry(slice)
        return root.entries.has(seqno) ? { ...root, entries: new Map([...root.entries, [seqno, entry]]) } : UNKNOWN_ENTRY
      }
    case 0xc52ed8d4:
      return (slice) => newTerms(root, { price: slice.loadCoins(), fee: slice.loadCoins() })
    case 0x022fa189:
      return (slice) =>
        newTerms(root, {
          price: slice.loadCoins(),
          fee: slice.loadCoins(),
          proxyDelay: slice.loadUint(32),
          clientDelay: slice.loadUint(32),
          minProxyStake: slice.loadCoins(),
          minClientStake: slice.loadCoins(),
        })
    case 0xa2370f61:
      return (slice) => newTerms(root, { codes: [slice.loadRef(), slice.loadRef(), slice.loadRef()] })
    case 0x11aefd51:
      return (slice) => ({ ...root, code: slice.loadRef() })
    case 0x563c1d96:
      return () => ({ ...root, proxyHashes: new Set(), entries: new Map(), workerHashes: new Set(), modelHashes: new Set() })
    case 0x4f7c5789:
      return (slice) => {
        const data = slice.loadRef()
        const draft = drafts.get(data.hash().toString('hex'))
        if (draft === undefined) throw new Error('a full upgrade that the model was not told about')
        return { ...draft, code: slice.loadRef() }
      }
    case 0xc4a1ae54:
      return (slice) => ({ ...root, owner: slice.loadAddress() })
    default:
      return root.manager === null ? null : changeManager(root, root.manager, op, nowSec)
  }
}

function changeManager(root: RootModel, manager: KeyManagerModel, op: number, nowSec: number) {
  if (op === 0x6e5a646a) {
    return (slice: Slice) => {
      const key = slice.loadUintBig(256)
      return { ...root, manager: listed(manager, key, { type: slice.loadUint(8), end: slice.loadUint(32) }, nowSec) }
    }
  }
  if (op !== 0xb01c0fe9) return null
  return (slice: Slice) => {
    const key = slice.loadUintBig(256)
    const image = slice.loadUintBig(256)
    return { ...root, manager: { ...manager, key, image, entry: loadEntry(slice) } }
  }
}

function newTerms(root: RootModel, changed: Partial<Terms>): RootModel | number {
  const terms = { ...root.terms, ...changed, paramsVersion: root.terms.paramsVersion + 1 }
  if (terms.fee > terms.price && changed.price !== undefined) return FORMAT
  if ((changed.proxyDelay ?? 0) > YEAR_SEC || (changed.clientDelay ?? 0) > YEAR_SEC) return FORMAT
  const hasOwnStakes = terms.minProxyStake !== DEFAULT_STAKE || terms.minClientStake !== DEFAULT_STAKE
  return terms.structVersion === 0 && hasOwnStakes ? FORMAT : { ...root, terms }
}

function loadEntry(slice: Slice): Buffer {
  if (slice.loadUint(1) !== 0) throw new RangeError('not a text')
  return slice.loadBuffer(slice.loadUint(7))
}

/** The key manager's own way to list a key: anyone may send it. */
function addSigned(root: RootModel, message: Incoming, queryId: bigint, rest: Slice): Verdict<RootModel> {
  const { manager } = root
  if (manager === null) return refused(UNKNOWN_OP)
  const asked = readAll(rest, (slice) => ({
    excesses: slice.loadAddress(),
    signature: slice.loadBuffer(64),
    payload: slice.loadRef(),
  }))
  if (asked === null) return refused(...BROKEN)
  const said = readAll(asked.payload.beginParse(), (slice) => ({
    op: slice.loadUint(32),
    queryId: slice.loadUintBig(64),
    key: slice.loadUintBig(256),
    type: slice.loadUint(8),
    end: slice.loadUint(32),
  }))
  if (said === null) return refused(SIGNED_FORMAT, SHORT)
  const faults: number[] = []
  if (said.op !== 0x9e0e1821 || said.queryId !== queryId) faults.push(SIGNED_FORMAT)
  const key = Buffer.from(manager.key.toString(16).padStart(64, '0'), 'hex')
  if (manager.key === 0n || !signedBy(key, asked.payload.hash(), asked.signature)) faults.push(SIGNATURE)
  const known = manager.keys.get(said.key)
  if (said.end <= message.nowSec || (known !== undefined && known.end >= said.end)) faults.push(OLD)
  if (faults.length > 0) return refused(...faults)
  const next = { ...root, version: root.version + 1, manager: listed(manager, said.key, said, message.nowSec) }
  return done(next, message, asked.excesses, queryId)
}

/** Adds a key; of the three keys that follow it, in a circle, those that have expired go. */
function listed(
  manager: KeyManagerModel,
  key: bigint,
  value: { readonly type: number; readonly end: number },
  nowSec: number,
): KeyManagerModel {
  const keys = new Map([...manager.keys, [key, { type: value.type, end: value.end }]])
  let at = key
  for (let turn = 0; turn < 3; turn += 1) {
    const sorted = [...keys.keys()].sort((a, b) => (a < b ? -1 : 1))
    const next = sorted.find((other) => other > at) ?? sorted[0]
    if (next === undefined) break
    at = next
    if ((keys.get(next)?.end ?? nowSec) < nowSec) keys.delete(next)
  }
  return { ...manager, keys }
}
