import type { Payout } from '../../../preload/api/earn.ts'
import { csvTon } from '../format/ton.ts'

const columns = [
  'id',
  'started_at',
  'state',
  'adjusted_tokens',
  'expected_ton',
  'owner_received_ton',
  'node_wallet_change_ton',
  'transaction',
] as const

/** A value of a CSV cell; what a spreadsheet could run as a formula is made text. */
function cell(value: string): string {
  const harmless = /^[=+\-@\t\r]/.test(value) && !/^-?\d/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

/** Payouts in exact form, one a line, times in UTC. */
export function payoutsCsv(payouts: readonly Payout[]): string {
  const lines = payouts.map((payout) =>
    [
      payout.id,
      new Date(payout.startedAtMs).toISOString(),
      payout.state,
      payout.adjustedTokens.toString(),
      csvTon(payout.expected),
      payout.ownerReceived === undefined ? '' : csvTon(payout.ownerReceived),
      payout.nodeWalletChange === undefined ? '' : csvTon(payout.nodeWalletChange),
      payout.transactionHash ?? '',
    ]
      .map(cell)
      .join(','),
  )
  return [columns.join(','), ...lines, ''].join('\r\n')
}
