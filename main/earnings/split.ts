/** nanoton by how sure it is: told by the proxy, signed by it, paid on chain. */
export interface Split {
  readonly counted: bigint
  readonly pending: bigint
  readonly settled: bigint
}

export const zeroSplit: Split = { counted: 0n, pending: 0n, settled: 0n }

export function addSplits(a: Split, b: Split): Split {
  return { counted: a.counted + b.counted, pending: a.pending + b.pending, settled: a.settled + b.settled }
}

/** A part of a contract's line of adjusted tokens (above `first`, up to `last`) and the contract's two marks on it. */
export interface Stretch {
  readonly first: bigint
  readonly last: bigint
  /** Total signed by the proxy. */
  readonly signed: bigint
  /** Total paid on chain; what is paid was signed, whether we saw that or not. */
  readonly settled: bigint
}

/** Adjusted tokens of a stretch on each side of the marks. The three always add up to its length. */
export function tokensOf(stretch: Stretch): Split {
  const upTo = (mark: bigint): bigint => max(0n, min(mark, stretch.last) - stretch.first)
  const settled = upTo(stretch.settled)
  const signed = upTo(max(stretch.signed, stretch.settled))
  return { counted: stretch.last - stretch.first - signed, pending: signed - settled, settled }
}

/** @param fee nanoton per adjusted token */
export function worth(tokens: Split, fee: bigint): Split {
  return { counted: tokens.counted * fee, pending: tokens.pending * fee, settled: tokens.settled * fee }
}

export const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
export const min = (a: bigint, b: bigint): bigint => (a < b ? a : b)
