import {
  beginCell,
  type Cell,
  Dictionary,
  type DictionaryValue,
  loadMessage,
  loadTransactionDescription,
  type StateInit,
  storeMessage,
} from '@ton/core'
import { defaultConfig, type Executor } from '@ton/sandbox'
import { type Account, addressOf, emptyAccount, type Key, keyOf, readAccount } from './account.ts'
import { rawReader, rawToCell, readRawBoc } from './raw-boc.ts'

/** One message on its way. */
export interface Parcel {
  /** null for an external message */
  readonly from: Key | null
  readonly to: Key
  /** nanoton */
  readonly value: bigint
  readonly bounce: boolean
  readonly bounced: boolean
  readonly body: Cell
  /** Brings a StateInit along. */
  readonly init: boolean
  /** What the sender already paid for the way, nanoton. */
  readonly forwardFee: bigint
  /** The whole message. */
  readonly cell: Cell
}

/** One message that arrived, and what it did. */
export interface Step {
  readonly parcel: Parcel
  readonly before: Account
  readonly after: Account
  readonly nowSec: number
  /** False: an external message that the account did not accept; nothing happened. */
  readonly accepted: boolean
  /** Why nothing ran; null when something ran. */
  readonly skipped: string | null
  readonly exitCode: number
  /** null: there was no action phase */
  readonly actionCode: number | null
  /** Neither computation nor actions failed, and something ran. */
  readonly success: boolean
  /** Storage rent taken, and still owed afterwards, nanoton. */
  readonly rent: bigint
  readonly due: bigint
  readonly gas: number
  /** Everything that arrived nowhere, nanoton. */
  readonly fees: bigint
  readonly out: readonly Parcel[]
}

/** Money in, money out, of an account outside the network: it keeps every nanoton that reaches it. */
export interface Purse {
  readonly sent: bigint
  readonly received: bigint
}

const LOGICAL_TIME_STEP = 1_000_000n
const NO_SEED = Buffer.alloc(32)
const anyMessage: DictionaryValue<Cell> = {
  serialize: (cell, builder) => {
    builder.storeRef(cell)
  },
  parse: (slice) => slice.loadRef(),
}

/**
 * A chain over the emulator itself, without the sandbox's own bookkeeping. Accounts are values, so that a fork costs
 * nothing, and every delivery is checked to lose no nanoton.
 */
export class Ledger {
  readonly executor: Executor
  nowSec: number
  accounts = new Map<Key, Account>()
  purses = new Map<Key, Purse>()
  /** In order of sending; any message may be delivered that no earlier one between the same accounts waits for. */
  flight: Parcel[] = []
  fees = 0n
  transactions = 0
  private time = 0n

  constructor(executor: Executor, nowSec: number) {
    this.executor = executor
    this.nowSec = nowSec
  }

  fork(): Ledger {
    const copy = new Ledger(this.executor, this.nowSec)
    copy.accounts = new Map(this.accounts)
    copy.purses = new Map(this.purses)
    copy.flight = [...this.flight]
    copy.fees = this.fees
    copy.time = this.time
    return copy
  }

  /** From now on this address holds code or may get some; others are purses. */
  open(key: Key) {
    if (!this.accounts.has(key)) this.accounts.set(key, emptyAccount(key))
  }

  account(key: Key): Account {
    const account = this.accounts.get(key)
    if (account === undefined) throw new RangeError(`${key} is not an account of this ledger`)
    return account
  }

  purse(key: Key): Purse {
    return this.purses.get(key) ?? { sent: 0n, received: 0n }
  }

  /** Sends from a purse. */
  send(from: Key, to: Key, value: bigint, body: Cell, options: { init?: StateInit | null; bounce?: boolean } = {}) {
    const purse = this.purse(from)
    this.purses.set(from, { ...purse, sent: purse.sent + value })
    this.push(internalParcel(from, to, value, body, options))
  }

  push(parcel: Parcel) {
    this.flight.push(parcel)
  }

  /** Indexes of the messages that may arrive next. */
  deliverable(): number[] {
    const pairs = new Set<string>()
    const found: number[] = []
    for (const [index, parcel] of this.flight.entries()) {
      const pair = `${parcel.from}>${parcel.to}`
      if (!pairs.has(pair)) found.push(index)
      pairs.add(pair)
    }
    return found
  }

  /** Delivers one message; null when it went to a purse. Throws unless all Toncoin is accounted for. */
  async deliver(index: number): Promise<Step | null> {
    const [parcel] = this.flight.splice(index, 1)
    if (parcel === undefined) throw new RangeError(`no message ${index}`)
    const before = this.accounts.get(parcel.to)
    if (before === undefined) {
      const purse = this.purse(parcel.to)
      this.purses.set(parcel.to, { ...purse, received: purse.received + parcel.value })
      return null
    }
    this.time += LOGICAL_TIME_STEP
    const { result } = await this.executor.runTransaction({
      config: defaultConfig,
      libs: null,
      verbosity: 'short',
      shardAccount: before.shard,
      now: this.nowSec,
      lt: this.time,
      randomSeed: NO_SEED,
      ignoreChksig: false,
      debugEnabled: false,
      message: parcel.cell,
    })
    this.transactions += 1
    if (!result.success) {
      if (parcel.from !== null) throw new Error(`the emulator did not run an internal message: ${result.error}`)
      return refusedExternal(parcel, before, this.nowSec, result.vmResults?.vmExitCode ?? -1)
    }
    const after = readAccount(result.shardAccount)
    const step = readStep(parcel, before, after, this.nowSec, result.transaction)
    const sent = step.out.reduce((sum, message) => sum + message.value, 0n)
    const missing = parcel.value + before.balance - after.balance - sent - step.fees
    if (missing !== 0n) throw new Error(`${missing} nanoton vanished at ${parcel.to}`)
    this.accounts.set(parcel.to, after)
    this.fees += step.fees
    this.flight.push(...step.out)
    return step
  }

  /** Throws unless everything that purses sent is in accounts, in purses, paid as fees or in flight. */
  checkTotal() {
    let missing = -this.fees
    for (const purse of this.purses.values()) missing += purse.sent - purse.received
    for (const account of this.accounts.values()) missing -= account.balance
    for (const parcel of this.flight) missing -= parcel.value
    if (missing !== 0n) throw new Error(`${missing} nanoton are nowhere`)
  }
}

export function internalParcel(
  from: Key,
  to: Key,
  value: bigint,
  body: Cell,
  options: { init?: StateInit | null; bounce?: boolean; bounced?: boolean } = {},
): Parcel {
  const { init = null, bounce = true, bounced = false } = options
  const cell = beginCell()
    .store(
      storeMessage({
        info: {
          type: 'internal',
          ihrDisabled: true,
          bounce,
          bounced,
          src: addressOf(from),
          dest: addressOf(to),
          value: { coins: value },
          ihrFee: 0n,
          forwardFee: 0n,
          createdAt: 0,
          createdLt: 0n,
        },
        init,
        body,
      }),
    )
    .endCell()
  return { from, to, value, bounce, bounced, body, init: init !== null, forwardFee: 0n, cell }
}

export function externalParcel(to: Key, body: Cell, init: StateInit | null): Parcel {
  const cell = beginCell()
    .store(storeMessage({ info: { type: 'external-in', dest: addressOf(to), importFee: 0n }, init, body }))
    .endCell()
  return { from: null, to, value: 0n, bounce: false, bounced: false, body, init: init !== null, forwardFee: 0n, cell }
}

function refusedExternal(parcel: Parcel, before: Account, nowSec: number, exitCode: number): Step {
  const nothing = { rent: 0n, due: before.due, gas: 0, fees: 0n, out: [] }
  return {
    parcel,
    before,
    after: before,
    nowSec,
    accepted: false,
    skipped: null,
    exitCode,
    actionCode: null,
    success: false,
    ...nothing,
  }
}

/** Reads a transaction (block.tlb: Transaction). Its references: messages, change of state, description. */
function readStep(parcel: Parcel, before: Account, after: Account, nowSec: number, transaction: string): Step {
  const raw = readRawBoc(transaction)
  const [messages, , description] = raw.refs
  if (messages === undefined || description === undefined) throw new RangeError('a transaction without its parts')
  const bits = rawReader(raw)
  bits.skip(4 + 256 + 64 + 256 + 64 + 32 + 15 + 2 + 2)
  let fees = bits.loadCoins()
  const has = rawReader(messages)
  const hasIn = has.loadBit()
  const list = has.loadBit() ? messages.refs[hasIn ? 1 : 0] : undefined
  const out: Parcel[] = []
  if (list !== undefined) {
    const dictionary = Dictionary.loadDirect(Dictionary.Keys.Uint(15), anyMessage, rawToCell(list))
    for (const cell of dictionary.values()) {
      const made = outParcel(cell)
      fees += made.forwardFee
      out.push(made)
    }
  }
  const told = loadTransactionDescription(rawToCell(description).beginParse())
  if (told.type !== 'generic') throw new RangeError(`a ${told.type} transaction`)
  const { computePhase: compute, actionPhase: action, storagePhase: storage } = told
  const ran = compute.type === 'vm'
  return {
    parcel,
    before,
    after,
    nowSec,
    accepted: true,
    skipped: ran ? null : compute.reason,
    exitCode: ran ? compute.exitCode : -1,
    actionCode: action?.resultCode ?? null,
    success: ran && compute.success && (action?.success ?? true),
    rent: storage?.storageFeesCollected ?? 0n,
    due: storage?.storageFeesDue ?? 0n,
    gas: ran ? Number(compute.gasUsed) : 0,
    fees,
    out,
  }
}

function outParcel(cell: Cell): Parcel {
  const { info, init, body } = loadMessage(cell.beginParse())
  if (info.type !== 'internal') throw new RangeError('an external message out is not expected here')
  return {
    from: keyOf(info.src),
    to: keyOf(info.dest),
    value: info.value.coins,
    bounce: info.bounce,
    bounced: info.bounced,
    body,
    init: init !== null && init !== undefined,
    forwardFee: info.forwardFee,
    cell,
  }
}
