const nanoPerTon = 1_000_000_000

/** The top of the axis and its step, in nanoton: a round step (1, 2 or 5 times a power of ten) that needs at most four of them. */
export function chartScale(values: readonly bigint[]): { readonly top: bigint; readonly step: bigint } {
  const largest = values.reduce((max, value) => (value > max ? value : max), 0n)
  let step = 1n
  for (let power = 0; ; power++) {
    for (const factor of [1n, 2n, 5n]) {
      step = factor * 10n ** BigInt(power)
      if (step * 4n >= largest) return { top: step * ceilDiv(largest === 0n ? 1n : largest, step), step }
    }
  }
}

const ceilDiv = (a: bigint, b: bigint): bigint => (a + b - 1n) / b

/** Share of the axis, 0 to 1. */
export const share = (value: bigint, top: bigint): number => Number((value * BigInt(nanoPerTon)) / top) / nanoPerTon
