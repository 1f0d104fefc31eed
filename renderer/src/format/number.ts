/** The two languages of the app; both group with U+202F from 1 000, and differ in the decimal sign (ui.md §9). */
export type Language = 'en' | 'ru'

export const narrowSpace = '\u202F'
export const noBreakSpace = '\u00A0'
export const minusSign = '\u2212'

export const decimalSign = (language: Language): string => (language === 'ru' ? ',' : '.')

/** Groups the digits of a whole number given as digits only. */
export function groupDigits(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, narrowSpace)
}

/** A whole count, e.g. tokens or requests. */
export function formatCount(value: number, _language?: Language): string {
  const whole = Math.round(Math.abs(value))
  return `${value < 0 && whole !== 0 ? minusSign : ''}${groupDigits(whole.toString())}`
}

/** A measured number with a fixed number of decimals; not for money, which never passes through a float. */
export function formatDecimal(value: number, decimals: number, language: Language): string {
  const [whole = '0', fraction] = Math.abs(value).toFixed(decimals).split('.')
  const text = fraction === undefined ? groupDigits(whole) : `${groupDigits(whole)}${decimalSign(language)}${fraction}`
  const isZero = /^[0.,]*$/.test(text)
  return value < 0 && !isZero ? `${minusSign}${text}` : text
}

/** Whole from 10, one decimal below: speeds and other small measured values. */
export function formatMeasured(value: number, language: Language): string {
  return formatDecimal(value, Math.abs(value) >= 9.95 ? 0 : 1, language)
}

/** Share of a whole, 0 to 100. No space in English, a no-break space in Russian. */
export function formatPercent(percent: number, language: Language): string {
  return `${formatDecimal(percent, 0, language)}${language === 'ru' ? noBreakSpace : ''}%`
}
