import type { ElectricityUse, PowerSource } from '../../../preload/api/electricity.ts'
import type { Formats } from '../format/use-format.ts'
import type { Say } from '../messages/texts.tsx'

/** Why some of what answered was not measured; what answers now tells it. Undefined when all was. */
export function unmeasuredReason(
  { servingMs, measuredMs }: ElectricityUse,
  source: PowerSource,
): Exclude<PowerSource, 'cards' | 'nothing'> | 'before' | undefined {
  if (measuredMs >= servingMs) return undefined
  return source === 'cards' || source === 'nothing' ? 'before' : source
}

/** How the energy of a time is reckoned, with its numbers where something was measured. */
export function energyWords({ measuredMs, drawnJ, restJ, socketJ }: ElectricityUse, t: Say, format: Formats): string {
  if (measuredMs === 0) return t('net.formula')
  const seconds = measuredMs / 1_000
  return t('net.formulaWith', {
    drawn: format.power(drawnJ / seconds),
    rest: format.power(restJ / seconds),
    time: format.duration(measuredMs),
    energy: format.energy(socketJ),
  })
}

/** What a time cost and left, in words: bounds where some of it was not measured. */
export function moneyWords({ servingMs, measuredMs }: ElectricityUse, fiat: (micros: number) => string, t: Say) {
  const isPart = measuredMs < servingMs
  return {
    cost: (micros: number): string => (isPart ? t('net.atLeast', { amount: fiat(micros) }) : fiat(micros)),
    net: (micros: number): string => (isPart ? t('net.atMost', { amount: fiat(micros) }) : fiat(micros)),
  }
}
