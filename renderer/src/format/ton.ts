import { decimalSign, groupDigits, type Language, minusSign } from './number.ts'

const nanoPerTon = 1_000_000_000n
const tenth = nanoPerTon / 10n

/** Down for what one has and receives, up for what one pays (ui.md §9). */
export type Rounding = 'down' | 'up'

function parts(nano: bigint): { sign: string; whole: bigint; fraction: string; size: bigint } {
  const size = nano < 0n ? -nano : nano
  return {
    sign: nano < 0n ? minusSign : '',
    whole: size / nanoPerTon,
    fraction: (size % nanoPerTon).toString().padStart(9, '0'),
    size,
  }
}

function join(sign: string, whole: bigint, fraction: string, language: Language): string {
  const digits = groupDigits(whole.toString())
  return fraction === '' ? `${sign}${digits}` : `${sign}${digits}${decimalSign(language)}${fraction}`
}

/** Exact form: all of up to 9 decimals, trailing zeros cut. @param nano amount in nanoton */
export function exactTon(nano: bigint, language: Language): string {
  const { sign, whole, fraction } = parts(nano)
  return join(sign, whole, fraction.replace(/0+$/, ''), language)
}

/** Column form: 9 decimals, so that digits stand under each other. @param nano amount in nanoton */
export function columnTon(nano: bigint, language: Language): string {
  const { sign, whole, fraction } = parts(nano)
  return join(sign, whole, fraction, language)
}

/**
 * Figure form: 3 decimals from 0.1 up, below that 3 significant digits; nothing is "0". The exact form belongs in its tooltip.
 * @param nano amount in nanoton
 */
export function figureTon(nano: bigint, language: Language, rounding: Rounding = 'down'): string {
  const { sign, size } = parts(nano)
  if (size === 0n) return '0'
  const significantFrom = 10 - size.toString().length // decimals before the first digit that is not zero, plus one
  const decimals = size >= tenth ? 3 : Math.min(9, significantFrom + 2)
  const step = 10n ** BigInt(9 - decimals)
  const cut = rounding === 'down' ? size / step : (size + step - 1n) / step
  const rounded = cut * step
  const { whole, fraction } = parts(rounded)
  const kept = fraction.slice(0, rounded >= tenth ? 3 : decimals)
  return join(sign, whole, rounded >= tenth ? kept : kept.replace(/0+$/, ''), language)
}

/** The amount as a plain decimal with a point, for CSV and other programs. @param nano amount in nanoton */
export function csvTon(nano: bigint): string {
  const { whole, fraction } = parts(nano)
  const tail = fraction.replace(/0+$/, '')
  return `${nano < 0n ? '-' : ''}${whole}${tail === '' ? '' : `.${tail}`}`
}
