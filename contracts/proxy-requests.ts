import { type Address, beginCell, type Cell } from '@ton/core'
import { bytes, coins, LIFE_STATES, operation, parseWhole, uint } from './cells.ts'
import { type ClientRequest, type ClientRequestPayload, PROXY_OPS, PROXY_PAYLOAD_OPS, type WorkerRequest } from './proxy.ts'

/** What a client contract sends to its proxy contract (protocol 60 §5.2). Throws RangeError for values that do not fit. */
export function clientRequestMessage(request: Omit<ClientRequest, 'kind'>): Cell {
  const account = beginCell()
    .storeUint(LIFE_STATES.indexOf(request.state), 2)
    .storeCoins(coins('balance', request.balance))
    .storeCoins(coins('stake', request.stake))
    .storeUint(uint('tokensUsed', request.tokensUsed, 64), 64)
    .storeBuffer(bytes('secretHash', request.secretHash, 32))
    .endCell()
  return operation(PROXY_OPS.clientRequest, request.queryId)
    .storeAddress(request.owner)
    .storeRef(account)
    .storeMaybeRef(request.payload === null ? null : clientPayload(request.payload))
    .endCell()
}

const moneyOps = {
  'top-up': PROXY_PAYLOAD_OPS.clientTopUp,
  'refund-granted': PROXY_PAYLOAD_OPS.clientRefundGranted,
  'refund-force': PROXY_PAYLOAD_OPS.clientRefundForce,
} as const

function clientPayload(payload: ClientRequestPayload): Cell {
  if (payload.kind === 'register') {
    return beginCell()
      .storeUint(PROXY_PAYLOAD_OPS.clientRegister, 32)
      .storeUint(uint('nonce', payload.nonce, 64), 64)
      .endCell()
  }
  return beginCell()
    .storeUint(moneyOps[payload.kind], 32)
    .storeCoins(coins('amount', payload.amount))
    .storeAddress(payload.excesses)
    .endCell()
}

/** What a worker contract sends to its proxy contract (protocol 60 §5.2). Throws RangeError for values that do not fit. */
export function workerRequestMessage(request: Omit<WorkerRequest, 'kind'>): Cell {
  const { payload } = request
  const cell = operation(PROXY_OPS.workerRequest, request.queryId)
    .storeAddress(request.owner)
    .storeUint(LIFE_STATES.indexOf(request.state), 2)
    .storeUint(uint('tokens', request.tokens, 64), 64)
  if (payload === null) return cell.storeMaybeRef(null).endCell()
  const payout = beginCell()
    .storeUint(PROXY_PAYLOAD_OPS.workerPayout, 32)
    .storeCoins(coins('workerPart', payload.workerPart))
    .storeCoins(coins('proxyPart', payload.proxyPart))
    .storeAddress(payload.excesses)
    .endCell()
  return cell.storeMaybeRef(payout).endCell()
}

/** Sent by a proxy contract of ours to a client contract of ours (docs/contracts.md); the deployed contracts do not know it. */
const OP_REFUND_UNPAID = 0x5d3c8e10

/** So much of a refund could not be paid and stays owed, nanoton. */
export interface RefundUnpaid {
  readonly queryId: bigint
  readonly amount: bigint
  readonly excesses: Address
}

/** What a proxy contract tells a client contract that it cannot pay in full. Throws RangeError for values that do not fit. */
export function refundUnpaidMessage(unpaid: RefundUnpaid): Cell {
  return operation(OP_REFUND_UNPAID, unpaid.queryId)
    .storeCoins(coins('amount', unpaid.amount))
    .storeAddress(unpaid.excesses)
    .endCell()
}

/** Reads the body of such a message. Null when it is malformed or anything else. The sender must be the client's proxy contract. */
export function parseRefundUnpaid(body: Cell): RefundUnpaid | null {
  try {
    return parseWhole('refund unpaid', body, (slice) => {
      if (slice.loadUint(32) !== OP_REFUND_UNPAID) throw new RangeError('another operation')
      return { queryId: slice.loadUintBig(64), amount: slice.loadCoins(), excesses: slice.loadAddress() }
    })
  } catch {
    return null
  }
}
