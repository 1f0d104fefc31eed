const decimals = 9

/** Nanoton of an amount that a person typed, "0.5" or "0,5"; null for what is no amount of up to 9 decimals. */
export function parseTon(text: string): bigint | null {
  const [, whole, fraction = ''] = /^(\d{1,9})(?:[.,](\d{1,9}))?$/.exec(text.trim().replaceAll(/[\s\u202F\u00A0]/g, '')) ?? []
  if (whole === undefined) return null
  return BigInt(whole) * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, '0'))
}
