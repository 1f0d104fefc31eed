import {
  Address,
  beginCell,
  Cell,
  Dictionary,
  external,
  loadShardAccount,
  loadTransaction,
  type Message,
  storeAccountStorage,
  storeMessage,
  storeShardAccount,
  type Transaction,
} from '@ton/core'
import { createShardAccount, defaultConfig, Executor } from '@ton/sandbox'
import wallet from './build/wallet.json' with { type: 'json' }
import { cocoonWalletCode } from './wallet-code.ts'

// Runs one message through the deployed wallet code and through the one compiled from wallet.tolk, on the same account at the same
// address, and tells everything that anyone can see of it.

/** The code compiled from wallet.tolk; for tests only, because a wallet's address follows from the deployed code. */
export const walletTwinCode: Cell = Cell.fromHex(wallet.boc)

export const TWIN_NOW_SEC = 1_800_000_000
export const TWIN_ADDRESS = new Address(0, Buffer.alloc(32, 0x77))

/** What one message did to a wallet. Gas is left out: the two codes may use different amounts of it. */
export interface Seen {
  /** Exit code with which an external message was refused; the account may be too poor to be asked at all. */
  readonly notAccepted?: number | 'before execution'
  readonly exitCode?: number | string
  readonly actionCode?: number | null
  readonly skippedActions?: number
  readonly aborted?: boolean
  readonly bounced?: boolean
  readonly messages?: readonly string[]
  readonly balance?: bigint
  readonly data?: string
  readonly status?: string
}

let shared: Promise<{ executor: Executor; config: string }> | undefined

/** `data` and `balance` (nanoton) of the account before the message. */
export async function runTwin(code: Cell, data: Cell, balance: bigint, message: Message): Promise<Seen> {
  shared ??= Executor.create().then((executor) => ({ executor, config: flatGas() }))
  const { executor, config } = await shared
  const account = createShardAccount({ address: TWIN_ADDRESS, code, data, balance })
  if (!account.account) throw new Error('no account')
  const { storage, storageStats } = account.account
  // No rent: the codes differ in size.
  storageStats.lastPaid = TWIN_NOW_SEC
  // The emulator aborts when it has to take away from statistics that are too small.
  storageStats.used = sizeOf(beginCell().store(storeAccountStorage(storage)).endCell())
  const { result } = await executor.runTransaction({
    config,
    libs: null,
    verbosity: 'short',
    shardAccount: toBase64(beginCell().store(storeShardAccount(account)).endCell()),
    message: beginCell().store(storeMessage(message)).endCell(),
    now: TWIN_NOW_SEC,
    lt: 1_000_000n,
    randomSeed: Buffer.alloc(32),
    ignoreChksig: false,
    debugEnabled: false,
  })
  if (!result.success) {
    if (result.vmResults !== undefined) return { notAccepted: result.vmResults.vmExitCode }
    if (result.error.includes('before smart-contract execution')) return { notAccepted: 'before execution' }
    throw new Error(result.error)
  }
  const transaction = loadTransaction(Cell.fromBase64(result.transaction).beginParse())
  const after = loadShardAccount(Cell.fromBase64(result.shardAccount).beginParse()).account
  const state = after?.storage.state
  return {
    ...phases(transaction),
    messages: [...transaction.outMessages.values()].map((out) =>
      beginCell().store(storeMessage(out)).endCell().hash().toString('hex'),
    ),
    balance: after?.storage.balance.coins ?? 0n,
    data: state?.type === 'active' ? (state.state.data?.hash().toString('hex') ?? '') : '',
    status: state?.type ?? 'gone',
  }
}

function sizeOf(root: Cell): { cells: bigint; bits: bigint } {
  const seen = new Map<string, number>()
  const walk = (cell: Cell): void => {
    const key = cell.hash().toString('hex')
    if (seen.has(key)) return
    seen.set(key, cell.bits.length)
    for (const ref of cell.refs) walk(ref)
  }
  walk(root)
  return { cells: BigInt(seen.size), bits: BigInt([...seen.values()].reduce((sum, bits) => sum + bits, 0)) }
}

function phases({ description }: Transaction): Seen {
  if (description.type !== 'generic') throw new Error('a transaction of another kind')
  const { computePhase, actionPhase } = description
  return {
    exitCode: computePhase.type === 'vm' ? computePhase.exitCode : computePhase.reason,
    actionCode: actionPhase?.resultCode ?? null,
    skippedActions: actionPhase?.skippedActions ?? 0,
    aborted: description.aborted,
    bounced: description.bouncePhase !== undefined && description.bouncePhase !== null,
  }
}

/** What both codes do with this message. */
export async function bothTwins(data: Cell, balance: bigint, message: Message): Promise<{ deployed: Seen; own: Seen }> {
  return {
    deployed: await runTwin(cocoonWalletCode, data, balance, message),
    own: await runTwin(walletTwinCode, data, balance, message),
  }
}

export function twinExternal(body: Cell): Message {
  return external({ to: TWIN_ADDRESS, body })
}

export function twinInternal(from: Address, value: bigint, body: Cell, bounced = false): Message {
  return {
    info: {
      type: 'internal',
      ihrDisabled: true,
      bounce: !bounced,
      bounced,
      src: from,
      dest: TWIN_ADDRESS,
      value: { coins: value },
      ihrFee: 0n,
      forwardFee: 0n,
      createdAt: TWIN_NOW_SEC,
      createdLt: 1n,
    },
    body,
  }
}

/** Below the limit of a transaction, which is 1,000,000; far above what a wallet uses. */
const FLAT_GAS = 900_000n

/** The usual prices, but one price for every amount of gas: what is left over does not depend on the code. */
function flatGas(): string {
  const config = Dictionary.loadDirect(
    Dictionary.Keys.Int(32),
    Dictionary.Values.Cell(),
    Cell.fromBase64(defaultConfig).beginParse(),
  )
  for (const id of [20, 21]) {
    const prices = config.get(id)?.beginParse()
    if (prices === undefined || prices.loadUint(8) !== 0xd1) throw new Error('gas prices of another form')
    prices.skip(64)
    const price = prices.loadUintBig(64)
    config.set(id, beginCell().storeUint(0xd1, 8).storeUint(FLAT_GAS, 64).storeUint(price, 64).storeSlice(prices).endCell())
  }
  return toBase64(beginCell().storeDictDirect(config).endCell())
}

function toBase64(cell: Cell): string {
  return cell.toBoc().toString('base64')
}
