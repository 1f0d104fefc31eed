import type { CatalogEntry } from './catalog.ts'

/**
 * Bits that a weight takes on average in a file of this kind, measured by the makers of llama.cpp with Llama 3.1 8B: `tools/quantize/README.md`,
 * commit 311c2c9f0ebd6e08f5b20e8827c654cebb7a41d6 of ggml-org/llama.cpp, read 2026-11-22. Other models differ by some per cent, small ones by more.
 * MXFP4: 12 109 565 632 bytes of gpt-oss 20B for its 21e9 weights, in the file of lmstudio-community as `lib/rllama/cli.rb`, commit
 * a85da878881324e3d2d583c11edc851294a6324a of docusealco/rllama, lists it, read 2026-11-23.
 */
const bitsPerWeight: ReadonlyMap<string, number> = new Map([
  ['Q2_K', 3.1593],
  ['Q3_K_S', 3.6429],
  ['Q3_K_L', 4.2979],
  ['IQ4_XS', 4.4597],
  ['Q4_K_S', 4.6672],
  ['Q4_K_M', 4.8944],
  ['MXFP4', 4.6132],
  ['Q5_K_S', 5.5704],
  ['Q5_K_M', 5.7036],
  ['Q6_K', 6.5633],
  ['Q8_0', 8.5008],
  ['F16', 16.0005],
])
/** The embedding is kept in up to this many, whatever the rest is: a small model with many tokens is larger than its kind says. */
const mostEmbeddingBits = 8.5008

type Weights = Pick<CatalogEntry, 'parameterCount' | 'quantization' | 'shape'>

/** Rough size of the weights in bytes; null for a kind that is not in the table. */
export function roughWeights({ parameterCount, quantization, shape }: Weights): number | null {
  const bits = bitsPerWeight.get(quantization)
  if (bits === undefined) return null
  // The measured average of MXFP4 is of the one model that has it.
  const embedding = shape === null || quantization === 'MXFP4' ? 0 : shape.vocabulary * shape.embedding
  return Math.round(((parameterCount - embedding) * bits + embedding * Math.max(bits, mostEmbeddingBits)) / 8)
}
