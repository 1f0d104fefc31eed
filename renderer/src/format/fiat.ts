import { type Language, minusSign, narrowSpace } from './number.ts'

const millionth = 1_000_000
/** Below that two decimals say nothing. */
const small = 10_000

/** An amount of money of the world: "$0.65", below a hundredth with four decimals (ui.md §9). @param micros millionths of the currency */
export function formatFiat(micros: number, currency: string, language: Language): string {
  const size = Math.abs(micros)
  return joined(
    micros,
    currency,
    language,
    size > 0 && size < small ? { minimumFractionDigits: 4, maximumFractionDigits: 4 } : {},
  )
}

/** A price as it was given, with all of its decimals: "$0.1745". */
export function formatPrice(micros: number, currency: string, language: Language): string {
  return joined(micros, currency, language, { maximumFractionDigits: 6 })
}

function joined(micros: number, currency: string, language: Language, decimals: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(language, { style: 'currency', currency, currencyDisplay: 'narrowSymbol', ...decimals })
    .formatToParts(micros / millionth)
    .map(({ type, value }) => (type === 'minusSign' ? minusSign : type === 'group' ? narrowSpace : value))
    .join('')
}

/** Millionths of a price that a person typed, "0.17" or "0,17"; null for what is no price above nothing of up to 6 decimals. */
export function parsePrice(text: string): number | null {
  const [, whole, fraction = ''] = /^(\d{1,6})(?:[.,](\d{1,6}))?$/.exec(text.trim().replaceAll(/[\s\u202F\u00A0]/g, '')) ?? []
  const micros = whole === undefined ? 0 : Number(whole) * millionth + Number(fraction.padEnd(6, '0'))
  return micros > 0 ? micros : null
}

/** A price as a person types it. */
export const typedPrice = (micros: number, language: Language): string =>
  new Intl.NumberFormat(language, { maximumFractionDigits: 6, useGrouping: false }).format(micros / millionth)
