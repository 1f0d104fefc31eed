/** Nanoton in the exact form of ui.md §9: up to 9 decimals, trailing zeros cut, e.g. "0.17 TON". */
export function exactTon(nano: bigint): string {
  const digits = (nano < 0n ? -nano : nano).toString().padStart(10, '0')
  const number = `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '')
  return `${nano < 0n ? '\u2212' : ''}${number}\u00a0TON`
}
