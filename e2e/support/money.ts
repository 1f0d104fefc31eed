const nanoPerTon = 1_000_000_000n

/** Nanoton of an amount as a screen writes it: "0.000 001 TON" with narrow spaces, "−0.02", "Exactly 1.5 TON, test coins". */
export function nanoOf(text: string): bigint {
  const found = text.replaceAll('\u202F', '').match(/([+\u2212-]?)(\d+)(?:\.(\d{1,9}))?/)
  if (!found) throw new Error(`There is no amount in ${JSON.stringify(text)}.`)
  const [, sign = '', whole = '0', fraction = ''] = found
  const size = BigInt(whole) * nanoPerTon + BigInt(fraction.padEnd(9, '0'))
  return sign === '\u2212' || sign === '-' ? -size : size
}

/** A count with groups of three: "1 024" with a narrow space. */
export function countOf(text: string): number {
  const digits = text.replaceAll('\u202F', '')
  if (!/^\d+$/.test(digits)) throw new Error(`${JSON.stringify(text)} is not a count.`)
  return Number(digits)
}
