import type { Values } from './gguf-values.ts'
import { BadHeader } from './header-reader.ts'

export interface TensorBytes {
  readonly name: string
  /** 0 for a type whose size is not known. */
  readonly bytes: number
}

/** What of a model decides how much memory it takes, as its header says it. */
export interface ModelLayout {
  readonly architecture: string
  readonly embedding: number
  readonly heads: number
  readonly vocabulary: number
  /** Largest inner width of a feed-forward part; of a mixture of experts, of those that one token uses. */
  readonly feedForward: number
  readonly contextTokens: number | null
  readonly layers: readonly LayerLayout[]
  /** Bytes of the token embedding, which stays in the computer's memory. */
  readonly inputBytes: number
  /** Bytes of the output matrix; of the embedding where the model has no matrix of its own. */
  readonly outputBytes: number
  /** The output is the embedding once more: on the processor it is there only once. */
  readonly tiedOutput: boolean
  /** Everything else outside the layers. */
  readonly otherBytes: number
  /** True where layers keep a state that is no attention cache (Mamba, RWKV): the need is then known less well. */
  readonly recurrent: boolean
}

export interface LayerLayout {
  readonly bytes: number
  /** Values kept for one token of context: keys and values together 0 in a layer without attention. */
  readonly keyValues: number
  readonly valueValues: number
  /** Tokens that the layer looks back; null for all. */
  readonly window: number | null
}

const mostLayers = 4096

/**
 * One layer in so many looks at the whole text, the others only back to the window. Read in the sources of llama.cpp (`set_swa_pattern` in
 * `src/llama-model.cpp`); a header that lists its layers itself goes before it.
 */
const windowPeriod: Readonly<Record<string, number>> = { gemma2: 2, gemma3: 6, 'gpt-oss': 2, cohere2: 4 }

/** Null when the header does not say what is needed. Throws `BadHeader` on numbers that cannot be. */
export function layoutOf(architecture: string, values: Values, tensors: readonly TensorBytes[]): ModelLayout | null {
  const raw = (key: string) => values.get(`${architecture}.${key}`)
  const count = (key: string): number | null => {
    const found = raw(key)
    if (typeof found !== 'number') return null
    if (!Number.isSafeInteger(found) || found < 0 || found > 2 ** 31) throw new BadHeader(`Its "${key}" is impossible.`)
    return found
  }
  const perLayer = (key: string, layers: number): readonly number[] | null => {
    const found = raw(key)
    if (typeof found === 'object') {
      if (found.numbers === null || found.items < layers) throw new BadHeader(`Its "${key}" is impossible.`)
      if (found.numbers.some((value) => !Number.isSafeInteger(value) || value < 0 || value > 2 ** 31))
        throw new BadHeader(`Its "${key}" is impossible.`)
      return found.numbers.slice(0, layers)
    }
    const one = count(key)
    return one === null ? null : new Array<number>(layers).fill(one)
  }
  const blocks = count('block_count')
  if (blocks !== null && (blocks === 0 || blocks > mostLayers)) throw new BadHeader('Its number of layers is impossible.')
  const embedding = count('embedding_length')
  if (blocks === null || embedding === null || embedding === 0) return null
  const heads = perLayer('attention.head_count', blocks)
  if (heads === null) return null
  const most = Math.max(...heads)
  const kvHeads = perLayer('attention.head_count_kv', blocks) ?? heads
  // Keys of a compressed attention (DeepSeek) are kept as one vector a token.
  const compressed = count('attention.kv_lora_rank')
  const headSize = most === 0 ? 0 : Math.floor(embedding / most)
  const keySize = count('attention.key_length') ?? headSize
  const valueSize = count('attention.value_length') ?? headSize
  const windows = windowsOf(architecture, count('attention.sliding_window'), raw('attention.sliding_window_pattern'), blocks)
  const recurrent = [...values.keys()].some(
    (key) => key.startsWith(`${architecture}.ssm.`) || key.startsWith(`${architecture}.wkv.`),
  )
  const sizes = sizesOf(tensors, blocks)
  const feedForward = perLayer('feed_forward_length', blocks)
  const expertWidth = (count('expert_feed_forward_length') ?? 0) * (count('expert_used_count') ?? 1)
  const tokens = values.get('tokenizer.ggml.tokens')
  const layers = sizes.layers.map((bytes, layer) => {
    const attends = (kvHeads[layer] ?? 0) > 0
    if (compressed !== null && compressed > 0 && attends) {
      const rope = count('rope.dimension_count') ?? 0
      return { bytes, keyValues: compressed + rope, valueValues: 0, window: null }
    }
    const kept = kvHeads[layer] ?? 0
    return { bytes, keyValues: kept * keySize, valueValues: kept * valueSize, window: windows[layer] ?? null }
  })
  const layout: ModelLayout = {
    architecture,
    embedding,
    heads: most,
    vocabulary: typeof tokens === 'object' ? tokens.items : (count('vocab_size') ?? 0),
    feedForward: Math.max(...(feedForward ?? [0]), expertWidth),
    contextTokens: count('context_length'),
    layers,
    ...sizes.others,
    recurrent,
  }
  const perToken = layers.reduce((sum, { keyValues, valueValues }) => sum + keyValues + valueValues, 0)
  if (!Number.isSafeInteger(perToken * 2 ** 20)) throw new BadHeader('The size of its context is impossible.')
  return layout
}

function windowsOf(
  architecture: string,
  window: number | null,
  pattern: ReturnType<Values['get']>,
  layers: number,
): readonly (number | null)[] {
  const all = new Array<number | null>(layers).fill(null)
  if (window === null || window === 0) return all
  // A list says for each layer whether it has a window.
  if (typeof pattern === 'object') return all.map((_, layer) => ((pattern.numbers?.[layer] ?? 0) > 0 ? window : null))
  const period = typeof pattern === 'number' ? pattern : windowPeriod[architecture]
  if (period === undefined || period < 1) return all
  return all.map((_, layer) => (layer % period < period - 1 ? window : null))
}

function sizesOf(
  tensors: readonly TensorBytes[],
  blocks: number,
): { layers: readonly number[]; others: Pick<ModelLayout, 'inputBytes' | 'outputBytes' | 'tiedOutput' | 'otherBytes'> } {
  const layers = new Array<number>(blocks).fill(0)
  let inputBytes = 0
  let outputBytes = 0
  let otherBytes = 0
  for (const { name, bytes } of tensors) {
    const layer = /^blk\.(\d{1,5})\./.exec(name)?.[1]
    const at = layer === undefined ? -1 : Number(layer)
    if (at >= 0 && at < blocks) layers[at] = (layers[at] ?? 0) + bytes
    else if (name === 'token_embd.weight') inputBytes = bytes
    else if (name === 'output.weight') outputBytes = bytes
    else otherBytes += bytes
  }
  const tiedOutput = outputBytes === 0
  return { layers, others: { inputBytes, outputBytes: tiedOutput ? inputBytes : outputBytes, tiedOutput, otherBytes } }
}
