import { createHash } from 'node:crypto'
import { type Address, Cell, loadTransaction, type Message, type ShardAccount, type Transaction } from '@ton/core'
import type { Head, StoredTransaction } from './ledger.ts'

/** Wire forms of the toncenter API, second version, with the `@type` values that its clients check. */

/** The local chain has no blocks; these hashes only tell one head from another. */
export function blockId(head: Head): object {
  const hash = (what: string): string => createHash('sha256').update(`${what} ${head.seqno} ${head.lt}`).digest('base64')
  return {
    '@type': 'ton.blockIdExt',
    workchain: -1,
    shard: '-9223372036854775808',
    seqno: head.seqno,
    root_hash: hash('root'),
    file_hash: hash('file'),
  }
}

export function masterchainInfo(head: Head): object {
  const first = blockId({ seqno: 0, lt: 0n, now: 0 })
  return {
    '@type': 'blocks.masterchainInfo',
    last: blockId(head),
    state_root_hash: createHash('sha256').update(`state ${head.lt}`).digest('base64'),
    init: first,
  }
}

export function addressInformation(shard: ShardAccount | undefined, head: Head): object {
  const account = shard?.account
  const state = account?.storage.state
  const active = state?.type === 'active' ? state.state : undefined
  return {
    '@type': 'raw.fullAccountState',
    balance: (account?.storage.balance.coins ?? 0n).toString(),
    extra_currencies: [],
    code: active?.code?.toBoc().toString('base64') ?? '',
    data: active?.data?.toBoc().toString('base64') ?? '',
    last_transaction_id: transactionId(shard?.lastTransactionLt ?? 0n, hashBytes(shard?.lastTransactionHash ?? 0n)),
    block_id: blockId(head),
    frozen_hash: state?.type === 'frozen' ? hashBytes(state.stateHash).toString('base64') : '',
    sync_utime: head.now,
    state: state?.type === 'active' || state?.type === 'frozen' ? state.type : 'uninitialized',
  }
}

export function transactionAnswer(address: Address, stored: StoredTransaction): object {
  const transaction = loadTransaction(readCell(stored.boc).beginParse())
  const storageFee = storageFeeOf(transaction)
  return {
    '@type': 'raw.transaction',
    address: { '@type': 'accountAddress', account_address: address.toString() },
    utime: transaction.now,
    data: Buffer.from(stored.boc).toString('base64'),
    transaction_id: transactionId(stored.lt, stored.hash),
    fee: transaction.totalFees.coins.toString(),
    storage_fee: storageFee.toString(),
    other_fee: (transaction.totalFees.coins - storageFee).toString(),
    ...(transaction.inMessage ? { in_msg: messageAnswer(transaction.inMessage) } : {}),
    out_msgs: transaction.outMessages.values().map(messageAnswer),
  }
}

export function transactionId(lt: bigint, hash: Uint8Array): object {
  return { '@type': 'internal.transactionId', lt: lt.toString(), hash: Buffer.from(hash).toString('base64') }
}

function messageAnswer(message: Message): object {
  const { info } = message
  const internal = info.type === 'internal' ? info : undefined
  return {
    '@type': 'raw.message',
    source: info.src?.toString() ?? '',
    destination: info.dest?.toString() ?? '',
    value: (internal?.value.coins ?? 0n).toString(),
    fwd_fee: (internal?.forwardFee ?? 0n).toString(),
    ihr_fee: (internal?.ihrFee ?? 0n).toString(),
    created_lt: (info.type === 'external-in' ? 0n : info.createdLt).toString(),
    body_hash: message.body.hash().toString('base64'),
    msg_data: { '@type': 'msg.dataRaw', body: message.body.toBoc().toString('base64'), init_state: '' },
  }
}

function storageFeeOf(transaction: Transaction): bigint {
  const { description } = transaction
  if (!('storagePhase' in description)) return 0n
  return description.storagePhase?.storageFeesCollected ?? 0n
}

export function hashBytes(hash: bigint): Buffer {
  return Buffer.from(hash.toString(16).padStart(64, '0'), 'hex')
}

function readCell(boc: Uint8Array): Cell {
  const cell = Cell.fromBoc(Buffer.from(boc))[0]
  if (cell === undefined) throw new Error('an empty transaction is stored')
  return cell
}
