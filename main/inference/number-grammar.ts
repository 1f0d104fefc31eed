/** One end of a range of numbers. */
export interface Bound {
  readonly value: number
  /** The value itself is out. */
  readonly isOpen: boolean
}

/** As the grammar without bounds writes them: whole parts of at most 16 digits. */
const mostDigits = 16
const beyond = 10n ** BigInt(mostDigits)

/**
 * Alternatives in GBNF for all whole numbers between two bounds, of 16 digits at most. Empty where there is none.
 * @param low undefined: none but that of the digits, as `high`
 */
export function integersWithin(low: Bound | undefined, high: Bound | undefined): string[] {
  const least = low === undefined ? -beyond + 1n : inReach(low.isOpen ? Math.floor(low.value) + 1 : Math.ceil(low.value))
  const most = high === undefined ? beyond - 1n : inReach(high.isOpen ? Math.ceil(high.value) - 1 : Math.floor(high.value))
  return [...naturals(least > 0n ? least : 0n, most), ...naturals(most < 0n ? -most : 1n, -least).map((text) => `"-" ${text}`)]
}

/** The same for numbers with a fraction, between bounds that are whole. */
export function numbersWithin(low: Bound | undefined, high: Bound | undefined): string[] {
  const [least, most] = [
    low ? exactly(low) : { value: -beyond, isOpen: true },
    high ? exactly(high) : { value: beyond, isOpen: true },
  ]
  // No more digits than a number keeps apart from its bound.
  const stated = [low, high].map((bound) => (bound === undefined ? 0 : String(Math.abs(bound.value)).length))
  const digits = Math.max(0, 15 - Math.max(...stated))
  const zero = { value: 0n, isOpen: false }
  return [
    ...(most.value < 0n ? [] : magnitudes(least.value < 0n ? zero : least, most, digits)),
    // Zero itself is among the others.
    ...(least.value >= 0n
      ? []
      : magnitudes(most.value < 0n ? mirrored(most) : { ...zero, isOpen: true }, mirrored(least), digits).map(
          (text) => `"-" (${text})`,
        )),
  ]
}

interface WholeBound {
  readonly value: bigint
  readonly isOpen: boolean
}

const mirrored = ({ value, isOpen }: WholeBound): WholeBound => ({ value: -value, isOpen })

/** A bound further away than any number with these digits bounds nothing, or leaves nothing. */
function exactly({ value, isOpen }: Bound): WholeBound {
  if (Math.abs(value) < Number(beyond)) return { value: BigInt(value), isOpen }
  return { value: value < 0 ? -beyond : beyond, isOpen: true }
}

function inReach(value: number): bigint {
  if (value >= Number(beyond)) return beyond
  return value <= -Number(beyond) ? -beyond : BigInt(value)
}

/** Numbers from 0 on. */
function magnitudes(low: WholeBound, high: WholeBound, digits: number): string[] {
  const found = naturals(low.isOpen ? low.value + 1n : low.value, high.value - 1n).map((text) =>
    digits > 0 ? `${text} ("." [0-9]{1,${digits}})?` : text,
  )
  if (low.isOpen && digits > 0 && low.value < high.value) found.push(`"${low.value}." [0-9]{0,${digits - 1}} [1-9]`)
  const isAbove = low.isOpen ? low.value < high.value : low.value <= high.value
  if (!high.isOpen && isAbove) found.push(digits > 0 ? `"${high.value}" ("." "0"{1,${digits}})?` : `"${high.value}"`)
  return found
}

/** Whole numbers from 0 on, one alternative for each number of digits. */
function naturals(low: bigint, high: bigint): string[] {
  const found: string[] = []
  const most = high < beyond ? high : beyond - 1n
  for (let digits = 1; digits <= mostDigits; digits++) {
    const [least, last] = [digits === 1 ? 0n : 10n ** BigInt(digits - 1), 10n ** BigInt(digits) - 1n]
    const [from, to] = [low > least ? low : least, most < last ? most : last]
    if (from <= to) found.push(`(${ofLength(String(from), String(to))})`)
  }
  return found
}

/** Numbers between two that have as many digits. */
function ofLength(low: string, high: string): string {
  const length = low.length - 1
  if (/^0*$/.test(low) && /^9*$/.test(high)) return anyDigits(low.length)
  const [first = '', last = ''] = [low[0], high[0]]
  if (first === last) return length === 0 ? `"${first}"` : `"${first}" (${ofLength(low.slice(1), high.slice(1))})`
  if (length === 0) return `[${first}-${last}]`
  const found: string[] = []
  let [from, to] = [Number(first), Number(last)]
  if (!/^0*$/.test(low.slice(1))) found.push(`"${from++}" (${ofLength(low.slice(1), '9'.repeat(length))})`)
  const end = /^9*$/.test(high.slice(1)) ? undefined : `"${to--}" (${ofLength('0'.repeat(length), high.slice(1))})`
  if (from <= to) found.push(`[${from}-${to}] ${anyDigits(length)}`)
  if (end !== undefined) found.push(end)
  return found.join(' | ')
}

const anyDigits = (count: number): string => `[0-9]{${count}}`
