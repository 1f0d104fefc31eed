import type { Address, CommonMessageInfoInternal, Message, Transaction } from '@ton/core'
import { CLIENT_OPS } from '../../contracts/client.ts'
import { OP_DO_NOT_PROCESS, OP_EXCESSES, OP_PAYOUT } from '../../contracts/common.ts'
import { PROXY_OPS } from '../../contracts/proxy.ts'
import { ROOT_OPS } from '../../contracts/root.ts'
import { SIGNED_OPS } from '../../contracts/signed.ts'
import { WORKER_OPS } from '../../contracts/worker.ts'
import type { Chain } from '../ton/chain.ts'

/** One movement of a wallet's money. Over all rows of a transaction, in − out − fee is exactly the change of the balance. */
export interface WalletRow {
  /** Hash of the transaction (first half, hex) and number of the row in it. */
  readonly id: string
  readonly atMs: number
  readonly direction: 'in' | 'out'
  readonly title: string
  /** User-friendly address of the other side. */
  readonly counterparty?: string
  /** nanoton, never negative */
  readonly amount: bigint
  /** nanoton that this row's transaction cost; on its first row */
  readonly fee: bigint
}

/** The newest `limit` transactions of a wallet as rows, newest first. Throws as `Chain.transactions`. */
export async function readHistory(chain: Chain, address: Address, limit: number): Promise<WalletRow[]> {
  const transactions = await chain.transactions(address, limit)
  return transactions.flatMap(walletRows)
}

/** Rows of one transaction; at least one, because each costs or brings something. */
export function walletRows(transaction: Transaction): WalletRow[] {
  const id = transaction.hash().toString('hex').slice(0, 32)
  const rows: Array<Omit<WalletRow, 'id' | 'atMs' | 'fee'>> = []
  let fee = transaction.totalFees.coins
  for (const message of transaction.outMessages.values()) {
    if (message.info.type !== 'internal') continue
    const { info } = message
    // What is left of the forward fee leaves with the message and arrives nowhere.
    fee += info.forwardFee + info.ihrFee
    rows.push({ direction: 'out', title: sentTitle(message, info), counterparty: info.dest.toString(), amount: info.value.coins })
  }
  const received = transaction.inMessage
  if (received?.info.type === 'internal' && (received.info.value.coins > 0n || rows.length === 0)) {
    const { info } = received
    rows.push({
      direction: 'in',
      title: receivedTitle(received, info),
      counterparty: info.src.toString(),
      amount: info.value.coins,
    })
  }
  if (rows.length === 0) rows.push({ direction: 'out', title: 'Fee of an order that sent nothing', amount: 0n })
  return rows.map((row, index) => ({ id: `${id}-${index}`, atMs: transaction.now * 1000, fee: index === 0 ? fee : 0n, ...row }))
}

const sentTitles = new Map<number, string>([
  [CLIENT_OPS.topUp, 'Top up of the chat balance'],
  [CLIENT_OPS.changeSecretAndTopUp, 'Top up of the chat balance'],
  [CLIENT_OPS.changeSecret, 'New secret for the chat contract'],
  [CLIENT_OPS.register, 'Registration with the proxy'],
  [CLIENT_OPS.increaseStake, 'Higher stake in the chat contract'],
  [CLIENT_OPS.withdraw, 'Order to withdraw from the chat balance'],
  [CLIENT_OPS.requestRefund, 'Order to close the chat contract'],
  [SIGNED_OPS['client-charge'], 'Settlement of used tokens'],
  [SIGNED_OPS['client-grant-refund'], 'Refund to a client'],
  [SIGNED_OPS['worker-payout'], 'Order to pay out'],
  [SIGNED_OPS['worker-last-payout'], 'Order for the last payout'],
  [SIGNED_OPS['proxy-close-request'], 'Order to close the proxy contract'],
  [SIGNED_OPS['proxy-close-complete'], 'Order to end the proxy contract'],
  [WORKER_OPS.register, 'Registration of the worker'],
  [PROXY_OPS.payoutRequest, 'Order to pay the commission'],
  [PROXY_OPS.increaseStake, 'Deposit of the proxy stake'],
  [PROXY_OPS.ownerClose, 'Order to close the proxy contract'],
  [OP_DO_NOT_PROCESS, 'Record of the served state'],
  [OP_EXCESSES, 'Unused rest returned'],
  [OP_PAYOUT, 'Payout'],
  ...Object.values(ROOT_OPS).map((op): [number, string] => [op, 'Change of the network contract']),
])

const receivedTitles = new Map<number, string>([
  [OP_PAYOUT, 'Payout'],
  [OP_EXCESSES, 'Unused rest returned by the contract'],
])

function sentTitle(message: Message, info: CommonMessageInfoInternal): string {
  if (info.bounced) return 'Sent back'
  return sentTitles.get(opOf(message)) ?? (message.init ? 'Deployment of a contract' : 'Sent')
}

function receivedTitle(message: Message, info: CommonMessageInfoInternal): string {
  if (info.bounced) return 'Returned by the receiver'
  return receivedTitles.get(opOf(message)) ?? 'Received'
}

/** -1 for a body too short to carry one. */
function opOf(message: Message): number {
  const slice = message.body.beginParse()
  return slice.remainingBits < 32 ? -1 : slice.loadUint(32)
}
