/**
 * Bits that a weight takes on average in a file of this kind, measured by the makers of llama.cpp with Llama 3.1 8B: `tools/quantize/README.md`,
 * commit 311c2c9f0ebd6e08f5b20e8827c654cebb7a41d6 of ggml-org/llama.cpp, read 2026-11-22. Other models differ by some per cent, small ones by more.
 */
const bitsPerWeight: ReadonlyMap<string, number> = new Map([
  ['Q2_K', 3.1593],
  ['Q3_K_S', 3.6429],
  ['Q3_K_L', 4.2979],
  ['IQ4_XS', 4.4597],
  ['Q4_K_S', 4.6672],
  ['Q4_K_M', 4.8944],
  ['Q5_K_S', 5.5704],
  ['Q5_K_M', 5.7036],
  ['Q6_K', 6.5633],
  ['Q8_0', 8.5008],
  ['F16', 16.0005],
])

/** Rough size of the weights in bytes; null for a kind that is not in the table. */
export function roughWeights(parameterCount: number, quantization: string): number | null {
  const bits = bitsPerWeight.get(quantization)
  return bits === undefined ? null : Math.round((parameterCount * bits) / 8)
}
