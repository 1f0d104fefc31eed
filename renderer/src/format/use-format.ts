import { useMemo } from 'react'
import { type Say, useTexts } from '../messages/texts.tsx'
import { clock, dateTime } from './date.ts'
import { formatFiat, formatPrice } from './fiat.ts'
import { splitBytes, splitDuration } from './measure.ts'
import { formatCount, formatDecimal, formatMeasured, formatPercent, type Language, noBreakSpace } from './number.ts'
import { columnTon, exactTon, figureTon, type Rounding } from './ton.ts'

export interface Formats {
  /** "0.412 TON"; the exact form stands in the tooltip where this is used. */
  figure(nano: bigint, rounding?: Rounding): string
  figureValue(nano: bigint, rounding?: Rounding): string
  exact(nano: bigint): string
  /** With a sign also where it grew: "+0.1275 TON". */
  change(nano: bigint): string
  column(nano: bigint): string
  count(value: number): string
  decimal(value: number, decimals: number): string
  speed(tokensPerSecond: number): string
  percent(value: number): string
  bytes(value: number): string
  rate(bytesPerSecond: number): string
  duration(ms: number): string
  temperature(celsius: number): string
  power(watt: number): string
  /** kWh from joules. */
  energy(joules: number): string
  /** @param micros millionths of the currency */
  fiat(micros: number, currency: string): string
  price(micros: number, currency: string): string
  clock(ms: number, seconds?: boolean): string
  dateTime(ms: number): string
}

/** All formats in one language. @param t says the words and units of that language */
export function makeFormats(t: Say, language: Language): Formats {
  const ton = (text: string): string => `${text}${noBreakSpace}TON`
  const bytes = (value: number): string => {
    const split = splitBytes(value, language)
    return t(`unit.${split.unit}`, { value: split.value })
  }
  return {
    figure: (nano, rounding) => ton(figureTon(nano, language, rounding)),
    figureValue: (nano, rounding) => figureTon(nano, language, rounding),
    exact: (nano) => ton(exactTon(nano, language)),
    change: (nano) => `${nano > 0n ? '+' : ''}${ton(exactTon(nano, language))}`,
    column: (nano) => columnTon(nano, language),
    count: (value) => formatCount(value),
    decimal: (value, decimals) => formatDecimal(value, decimals, language),
    speed: (value) => t('unit.tokensPerSecond', { value: formatMeasured(value, language) }),
    percent: (value) => formatPercent(value, language),
    bytes,
    rate: (value) => t('unit.perSecond', { value: bytes(value) }),
    duration: (ms) => {
      const split = splitDuration(ms, language)
      switch (split.form) {
        case 'seconds':
          return t('unit.seconds', { value: split.seconds })
        case 'minutes':
          return t('unit.minutes', { value: split.minutes })
        case 'hours':
          return t('unit.hours', { hours: split.hours, minutes: split.minutes })
      }
    },
    temperature: (celsius) => t('unit.celsius', { value: formatDecimal(celsius, 0, language) }),
    power: (watt) => t('unit.watt', { value: formatDecimal(watt, 0, language) }),
    energy: (joules) => {
      const kwh = joules / 3_600_000
      return t('unit.kwh', { value: formatDecimal(kwh, kwh >= 1 || kwh === 0 ? 2 : 3, language) })
    },
    fiat: (micros, currency) => formatFiat(micros, currency, language),
    price: (micros, currency) => formatPrice(micros, currency, language),
    clock: (ms, seconds) => clock(ms, language, seconds),
    dateTime: (ms) => dateTime(ms, language, Date.now()),
  }
}

export function useFormat(): Formats {
  const { t, language } = useTexts()
  return useMemo(() => makeFormats(t, language), [t, language])
}
