import {
  type Address,
  beginCell,
  type Cell,
  external,
  internal,
  type Message,
  type ShardAccount,
  storeMessage,
  toNano,
} from '@ton/core'
import type { Blockchain, BlockchainTransaction } from '@ton/sandbox'
import { Failure } from '../base/failure.ts'
import type { AccountState, Chain } from '../ton/chain.ts'
import { type Order, refusalOf } from '../wallet/orders.ts'
import type { WalletScheme } from '../wallet/outbox.ts'
import type { OutMessage } from '../wallet/sender.ts'

/** The wallet that sends. Without a scheme it is a wallet of another program, whose own work can only be guessed. */
export interface Payer {
  readonly address: Address
  /** In words, e.g. "your wallet". */
  readonly label: string
  readonly scheme?: WalletScheme
}

/** 1 to 4 orders that one wallet takes in one message: all of them or none. */
export interface Stage {
  readonly payer: Payer
  readonly orders: readonly Order[]
}

/** What an order would do and cost now, in nanoton. What leaves the wallet is stays + returned + fees. */
export interface RehearsedOrder {
  readonly order: Order
  /** Why the contract would refuse; undefined when it would not. */
  readonly refusal: string | undefined
  /** The work of every contract that the order reaches, and the way there. */
  readonly fees: bigint
  readonly returned: bigint
  /** Remains at the destination. */
  readonly stays: bigint
}

export interface RehearsedStage {
  readonly payer: Payer
  readonly orders: readonly RehearsedOrder[]
  /** Of the wallet's own transactions. */
  readonly walletFees: bigint
}

export interface Rehearsal {
  readonly stages: readonly RehearsedStage[]
  /** Data of an account after everything; null where there is no contract. */
  dataOf(address: Address): Promise<Cell | null>
}

/** A guess, on the high side, of what another program's wallet needs for a message. */
const foreignWalletFee = toNano('0.01')
/** The rehearsing wallet never lacks money; whether the real one does is looked at apart. */
const plenty = toNano('1000000')

/**
 * Plays the stages through in the virtual machine of TON, on the accounts as the chain shows them now and with the fees of the main
 * network's configuration. Nothing is signed or sent. The result is an estimate: accounts may change before the real messages arrive,
 * and storage rent since their last transaction is left out.
 * @throws Failure of `Chain`, or `wallet-frozen`
 */
export async function rehearse(chain: Chain, stages: readonly Stage[], now: () => number = Date.now): Promise<Rehearsal> {
  // The emulator is large, and most commands do without it.
  const sandbox = await import('@ton/sandbox')
  const emulator = await sandbox.Blockchain.create()
  emulator.now = Math.floor(now() / 1000)
  const loaded = new Set<string>()
  const load = async (address: Address, extra: bigint): Promise<void> => {
    const key = address.toRawString()
    if (loaded.has(key)) return
    loaded.add(key)
    await emulator.setShardAccount(address, shardAccount(sandbox, address, await chain.account(address), extra))
  }
  for (const { payer } of stages) await load(payer.address, plenty)
  for (const { message } of stages.flatMap(({ orders }) => orders)) await load(message.to, 0n)

  const rehearsed: RehearsedStage[] = []
  for (const stage of stages) {
    const before = (await emulator.getContract(stage.payer.address)).balance
    const { scheme } = stage.payer
    rehearsed.push(scheme ? await playWallet(emulator, stage, scheme) : await playForeign(emulator, stage))
    if (scheme) await requireBalanced(emulator, rehearsed.at(-1), before)
  }
  return {
    stages: rehearsed,
    dataOf: async (address) => {
      const { accountState } = await emulator.getContract(address)
      return accountState?.type === 'active' ? (accountState.state.data ?? null) : null
    },
  }
}

function shardAccount(
  { createShardAccount, createEmptyShardAccount }: typeof import('@ton/sandbox'),
  address: Address,
  state: AccountState,
  extra: bigint,
): ShardAccount {
  if (state.status === 'frozen') {
    throw new Failure('wallet-frozen', `TON has frozen ${address.toString()} because it owed storage fees.`, {
      money: 'Nothing was sent.',
    })
  }
  const balance = state.balance + extra
  if (state.status === 'active' && state.code !== null && state.data !== null)
    return createShardAccount({ address, code: state.code, data: state.data, balance })
  const empty = createEmptyShardAccount(address)
  if (empty.account !== null && empty.account !== undefined) empty.account.storage.balance = { coins: balance }
  return empty
}

async function playWallet(emulator: Blockchain, { payer, orders }: Stage, scheme: WalletScheme): Promise<RehearsedStage> {
  const { accountState } = await emulator.getContract(payer.address)
  const data = accountState?.type === 'active' ? (accountState.state.data ?? null) : null
  const body = scheme.body({
    seqno: scheme.seqno(data),
    validUntilSec: (emulator.now ?? 0) + 300,
    messages: orders.map(({ message }) => message),
  })
  const order = external({ to: payer.address, body, ...(data === null ? { init: scheme.init } : {}) })
  const { transactions } = await emulator.sendMessage(beginCell().store(storeMessage(order)).endCell(), { ignoreChksig: true })
  const [wallet] = transactions
  const sent = [...(wallet?.outMessages.values() ?? [])]
  if (wallet === undefined || sent.length !== orders.length)
    throw new Failure('rehearsal-failed', 'The wallet would not send these messages.', { money: 'Nothing was sent.' })
  let walletFees = wallet.totalFees.coins
  const rehearsed = orders.map((one, index) => {
    const info = sent[index]?.info
    // The rest of the forwarding fee is in the wallet's own fees.
    const [arriving, forward] = info?.type === 'internal' ? [info.value.coins, info.forwardFee] : [0n, 0n]
    const result = outcome(one, wallet.children[index], payer.address, arriving, forward)
    walletFees += result.returnFees
    return result.rehearsed
  })
  return { payer, orders: rehearsed, walletFees }
}

async function playForeign(emulator: Blockchain, { payer, orders }: Stage): Promise<RehearsedStage> {
  let walletFees = 0n
  const rehearsed: RehearsedOrder[] = []
  for (const order of orders) {
    const { transactions } = await emulator.sendMessage(messageFrom(payer.address, order.message))
    const result = outcome(order, transactions[0], payer.address, order.message.value, 0n)
    walletFees += foreignWalletFee
    rehearsed.push(result.rehearsed)
  }
  return { payer, orders: rehearsed, walletFees }
}

function messageFrom(src: Address, message: OutMessage): Message {
  const relaxed = internal({
    to: message.to,
    value: message.value,
    body: message.body,
    bounce: message.bounce ?? true,
    ...(message.init === undefined ? {} : { init: message.init }),
  })
  if (relaxed.info.type !== 'internal') throw new TypeError('an internal message is needed')
  return { ...relaxed, init: relaxed.init ?? null, info: { ...relaxed.info, src } }
}

/** Adds up one order's transactions. What the wallet pays for taking the rest back belongs to the wallet. */
function outcome(
  order: Order,
  first: BlockchainTransaction | undefined,
  wallet: Address,
  arriving: bigint,
  forward: bigint,
): { readonly rehearsed: RehearsedOrder; readonly returnFees: bigint } {
  let fees = forward
  let returned = 0n
  let returnFees = 0n
  const add = (transaction: BlockchainTransaction): void => {
    const isWallet = addressOf(transaction) === wallet.toRawString()
    if (isWallet) {
      const { inMessage } = transaction
      if (inMessage?.info.type === 'internal') returned += inMessage.info.value.coins
      returnFees += transaction.totalFees.coins
      return
    }
    fees += transaction.totalFees.coins
    for (const out of transaction.outMessages.values()) if (out.info.type === 'internal') fees += out.info.forwardFee
    for (const child of transaction.children) add(child)
  }
  if (first !== undefined) add(first)
  return {
    rehearsed: {
      order,
      refusal: first === undefined ? 'It would not arrive.' : refusalOf(first),
      fees,
      returned,
      stays: arriving + forward - fees - returned,
    },
    returnFees,
  }
}

function addressOf(transaction: BlockchainTransaction): string {
  return `0:${transaction.address.toString(16).padStart(64, '0')}`
}

/** An estimate that does not add up would be worse than none. */
async function requireBalanced(emulator: Blockchain, stage: RehearsedStage | undefined, before: bigint): Promise<void> {
  if (stage === undefined) return
  const after = (await emulator.getContract(stage.payer.address)).balance
  const told = stage.orders.reduce((sum, { stays, fees }) => sum + stays + fees, stage.walletFees)
  if (before - after !== told)
    throw new Failure(
      'rehearsal-failed',
      `The estimate does not add up: ${before - after} nano left the wallet, ${told} were found.`,
      {
        money: 'Nothing was sent.',
      },
    )
}
