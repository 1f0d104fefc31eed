import { fromNano, toNano } from '@ton/core'
import { z } from 'zod'

/*
 * Amounts and times as an operator writes them: always with their unit, because a price that is wrong by nine zeros cannot be taken back.
 */

/** More than all Toncoin there is: a slip of the keyboard. nanoton */
const mostNano = toNano('10000000000')

/** "20 nano", "0.5 TON" → nanoton. */
export const amount = z.string().transform((text, context) => {
  const found = /^(\d{1,40})(?:\.(\d{1,9}))?\s?(TON|nano)$/i.exec(text.trim())
  const [, whole = '', fraction, unit = ''] = found ?? []
  const nano = unit.toLowerCase() === 'nano'
  if (found === null || (nano && fraction !== undefined))
    return fault(context, 'write an amount with its unit, as 0.5 TON or 20 nano')
  const value = nano ? BigInt(whole) : toNano(fraction === undefined ? whole : `${whole}.${fraction}`)
  return value > mostNano ? fault(context, 'is more Toncoin than there is') : value
})

const secondsPer = { s: 1, min: 60, h: 3600, d: 86_400 } as const

/** "60 s", "10 min", "24 h", "7 d" → seconds, at most a year. */
export const duration = z.string().transform((text, context) => {
  const found = /^(\d{1,9})\s?(s|min|h|d)$/.exec(text.trim())
  const [, count = '', unit = 's'] = found ?? []
  if (found === null) return fault(context, 'write a time with its unit, as 60 s, 10 min, 24 h or 7 d')
  const seconds = Number(count) * secondsPer[unit as keyof typeof secondsPer]
  return seconds > 365 * secondsPer.d ? fault(context, 'is longer than a year') : seconds
})

/** "8", 8, "0.1" → ten-thousandths, from 0.0001 to 1000 times. */
export const factor = z.union([z.string(), z.number()]).transform((value, context) => {
  const found = /^(\d{1,4})(?:\.(\d{1,4}))?$/.exec(String(value).trim())
  const [, whole = '', fraction = ''] = found ?? []
  const tenThousandths = Number(whole) * 10_000 + Number(fraction.padEnd(4, '0'))
  if (found === null || tenThousandths < 1 || tenThousandths > 10_000_000)
    return fault(context, 'write a factor from 0.0001 to 1000, as 8 for eight times')
  return tenThousandths
})

function fault(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

/** "0.0002 TON (200000 nano)" for small amounts, "5 TON" for others. */
export function amountText(nano: bigint): string {
  const ton = `${fromNano(nano)} TON`
  return nano < 1_000_000n ? `${nano} nano (${ton})` : ton
}

/** "90 s", "10 min", "24 h", "7 d": the largest unit that divides it. */
export function durationText(seconds: number): string {
  for (const unit of ['d', 'h', 'min'] as const) {
    const per = secondsPer[unit]
    if (seconds >= per && seconds % per === 0) return `${seconds / per} ${unit}`
  }
  return `${seconds} s`
}

/** 80000 → "8x". */
export function factorText(tenThousandths: number): string {
  return `${tenThousandths / 10_000}x`
}
