import type { EarnState } from '../../preload/api/earn.ts'
import { type Currency, type ElectricityUse, hasTestCoins, type Prices } from '../../preload/api/electricity.ts'
import type { Energy } from './energy.ts'

/** What the requests of a time cost and left once they had ended, in millionths of the currency. */
export interface Balance {
  readonly netMicros: number
  readonly costMicros: number
  /** So long answering was measured. */
  readonly measuredMs: number
}

/** How the last hours went; without a balance while it is not known, or does not matter. */
export interface LastHours {
  /** A loss pauses serving, by the owner's will. */
  readonly pauses: boolean
  readonly balance: Balance | null
  readonly currency: Currency | null
}

/** What of the power from the socket a usual supply hands on (ui.md §5.2). */
const supplyShare = 0.9
const joulesPerKwh = 3_600_000
const nanoPerTon = 1_000_000_000n

/**
 * What answering took from the socket and cost, what the coins are worth, and what is left. Only what is known: without a power price, and while none of the
 * time was measured, the cost is null, and it is the least where some was not; without the owner's word what a TON is worth, so is the worth of coins of the main network.
 * @param nano earned in the same time, nanoton
 */
export function netOf(energy: Energy, nano: bigint, prices: Prices, network: EarnState['network']): ElectricityUse {
  const { servingMs, measuredMs, drawnJ, restJ } = energy
  const socketJ = Math.max(0, drawnJ - restJ) / supplyShare
  // Up for what is paid, down for what is had (ui.md §9).
  const known = prices.power !== null && (measuredMs > 0 || servingMs === 0)
  const costMicros = known && prices.power ? Math.ceil((socketJ / joulesPerKwh) * prices.power.perKwhMicros) : null
  const worthMicros = worthOf(nano, prices, network)
  const netMicros = costMicros === null || worthMicros === null ? null : worthMicros - costMicros
  return { ...{ servingMs, measuredMs, drawnJ, restJ, socketJ }, costMicros, worthMicros, netMicros }
}

function worthOf(nano: bigint, { ton }: Prices, network: EarnState['network']): number | null {
  if (hasTestCoins(network)) return 0
  return ton === null ? null : Number((nano * BigInt(ton.micros)) / nanoPerTon)
}
