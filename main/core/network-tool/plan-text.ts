import { fromNano } from '@ton/core'
import type { Costs } from '../../network/costs.ts'
import { amountText } from '../../network/quantities.ts'
import type { RehearsedStage } from '../../network/rehearsal.ts'
import { addressText, type Difference, type Fact } from '../../network/root-report.ts'

/* Plans and readings as lines for a terminal. */

export function factLines(facts: ReadonlyArray<Pick<Fact, 'label' | 'value'>>): string[] {
  const width = Math.max(0, ...facts.map(({ label }) => label.length))
  return facts.map(({ label, value }) => `  ${label.padEnd(width)}  ${value}`)
}

/** Each message with where from and to, value, and what becomes of the value. */
export function messageLines(stages: readonly RehearsedStage[], testOnly: boolean): string[] {
  const lines: string[] = []
  let number = 0
  for (const { payer, orders, walletFees } of stages) {
    for (const { order, fees, returned, stays, refusal } of orders) {
      number += 1
      const { to, value } = order.message
      lines.push(
        `  ${number}. ${order.title}`,
        `     from  ${payer.label} ${addressText(payer.address, testOnly)}`,
        `     to    ${addressText(to, testOnly)}`,
        `     value ${amountText(value)}: ${[
          stays > 0n ? `${amountText(stays)} stay there` : '',
          returned > 0n ? `${amountText(returned)} return` : '',
          `${amountText(fees)} fees`,
        ]
          .filter(Boolean)
          .join(', ')}`,
      )
      if (refusal !== undefined) lines.push(`     THE CONTRACT WOULD REFUSE: ${refusal}`)
    }
    lines.push(`     ${payer.label} itself: ${amountText(walletFees)} fees`)
  }
  return lines
}

export function costLines(costs: Costs, balance: bigint): string[] {
  return factLines([
    { label: 'Sum of the values', value: `${fromNano(costs.values)} TON` },
    { label: 'Fees', value: `about ${fromNano(costs.fees)} TON` },
    { label: 'Cost in all', value: `about ${fromNano(costs.stays + costs.fees)} TON: what stays there, and the fees` },
    { label: 'Returns', value: `about ${fromNano(costs.returned)} TON` },
    { label: 'Needed before', value: `${fromNano(costs.needed)} TON, with room for fees` },
    { label: 'The wallet holds', value: `${fromNano(balance)} TON` },
  ])
}

export const estimateNote =
  '  Fees, returns and rests are an estimate: the messages were rehearsed in an emulator of the virtual machine, with the fees of the main network.'

export function differenceLines(differing: readonly Difference[]): string[] {
  return differing.flatMap(({ label, before, after }) => [
    `  ${label}`,
    ...(before === undefined ? [] : [`    before  ${before}`]),
    `    ${before === undefined ? 'new     ' : 'after   '}${after ?? 'gone'}`,
  ])
}
