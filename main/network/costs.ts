import { neededFor } from '../wallet/w5-wallet.ts'
import type { RehearsedStage } from './rehearsal.ts'

/** What a plan asks of one wallet. All amounts are nanoton. */
export interface Costs {
  /** Sum of the values of its messages. */
  readonly values: bigint
  /** Estimate of all fees, of wallet, ways and contracts. */
  readonly fees: bigint
  /** Estimate of what comes back. */
  readonly returned: bigint
  /** Estimate of what stays in contracts or with receivers. */
  readonly stays: bigint
  /** Has to be in the wallet before; part of it returns. */
  readonly needed: bigint
}

/** Adds up the stages that `address` (raw) pays. */
export function costsOf(address: string, stages: readonly RehearsedStage[]): Costs {
  const own = stages.filter(({ payer }) => payer.address.toRawString() === address)
  const orders = own.flatMap((stage) => stage.orders)
  const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
  return {
    values: sum(orders.map(({ order }) => order.message.value)),
    fees: sum(orders.map(({ fees }) => fees)) + sum(own.map(({ walletFees }) => walletFees)),
    returned: sum(orders.map(({ returned }) => returned)),
    stays: sum(orders.map(({ stays }) => stays)),
    needed: sum(own.map(neededBy)),
  }
}

/** A deployment is a long message, whose import alone may cost more than the usual allowance. */
function neededBy({ orders, walletFees }: RehearsedStage): bigint {
  const usual = neededFor(orders.map(({ order }) => order.message))
  const values = orders.reduce((total, { order }) => total + order.message.value, 0n)
  const estimated = values + (walletFees * 5n) / 4n + 10_000_000n
  return usual > estimated ? usual : estimated
}
