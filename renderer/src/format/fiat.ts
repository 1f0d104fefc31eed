import { decimalSign, type Language, minusSign, narrowSpace } from './number.ts'

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

/**
 * Millionths of a price that a person typed in the language of the app, "0.17" in English; null for what is no price above nothing of up to 6 decimals. The
 * other language's sign, and three digits after this one's, may be meant for thousands: neither is taken, except behind a zero ("0.125").
 */
export function parsePrice(text: string, language: Language): number | null {
  const [whole = '', fraction, ...more] = text.replaceAll(/[\s\u202F\u00A0]/g, '').split(decimalSign(language))
  const isNumber = /^\d{1,6}$/.test(whole) && (fraction === undefined || /^\d{1,6}$/.test(fraction)) && more.length === 0
  if (!isNumber || (fraction?.length === 3 && Number(whole) > 0)) return null
  const micros = Number(whole) * millionth + Number((fraction ?? '').padEnd(6, '0'))
  return micros > 0 ? micros : null
}

/** A price as a person types it, and `parsePrice` takes it. */
export function typedPrice(micros: number, language: Language): string {
  const hasThree = micros >= millionth && micros % 1_000 === 0 && micros % 10_000 !== 0
  const decimals = { minimumFractionDigits: hasThree ? 4 : 0, maximumFractionDigits: 6 }
  return new Intl.NumberFormat(language, { ...decimals, useGrouping: false }).format(micros / millionth)
}
