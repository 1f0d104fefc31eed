import { formatDecimal, formatMeasured, type Language } from './number.ts'

export type ByteUnit = 'B' | 'kB' | 'MB' | 'GB' | 'TB'
const units: readonly ByteUnit[] = ['B', 'kB', 'MB', 'GB', 'TB']

/** Bytes in decimal units as disks are sold (10^9 to the GB), one decimal from GB up. */
export function splitBytes(bytes: number, language: Language): { value: string; unit: ByteUnit } {
  let index = 0
  let value = Math.max(0, bytes)
  while (value >= 999.5 && index < units.length - 1) {
    value /= 1_000
    index++
  }
  const unit = units[index] ?? 'B'
  return { value: formatDecimal(value, index >= 3 ? 1 : 0, language), unit }
}

export type DurationText =
  | { readonly form: 'seconds'; readonly seconds: string }
  | { readonly form: 'minutes'; readonly minutes: string }
  | { readonly form: 'hours'; readonly hours: string; readonly minutes: string }

/** A duration by its two largest units at most: "4.2 s", "6 s", "2 min", "6 h 12 min". */
export function splitDuration(ms: number, language: Language): DurationText {
  const seconds = Math.max(0, ms) / 1_000
  if (seconds < 59.5) return { form: 'seconds', seconds: formatMeasured(seconds, language) }
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return { form: 'minutes', minutes: minutes.toString() }
  return { form: 'hours', hours: formatDecimal(Math.floor(minutes / 60), 0, language), minutes: (minutes % 60).toString() }
}
