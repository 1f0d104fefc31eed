import type { ModelLayout } from './layout.ts'

/** How the engine is set up; what is absent is as the engine does it by default. */
export interface MemoryOptions {
  /** Of each answer that is generated at the same time. */
  readonly contextTokens: number
  /** Answers at the same time. */
  readonly sequences: number
  /** Bytes of one value of the context: 2 for F16, 34/32 for Q8_0. Default 2. */
  readonly contextValueBytes?: number
  /** Default true: every back end of the library has it. */
  readonly flashAttention?: boolean
  /** Prompt tokens that are computed at once. Default 512. */
  readonly batchTokens?: number
}

/** Bytes by what they are for. Their sum is what has to be free. */
export interface MemoryNeed {
  readonly weightsBytes: number
  /** Keys and values of the context, and what else layers remember. */
  readonly contextBytes: number
  /** Scratch memory of the computation and the values of the output. */
  readonly computeBytes: number
  /** Of the engine process besides, always in the computer's memory: tables of the vocabulary, stacks. */
  readonly processBytes: number
  /** On a GPU what its memory must hold; on the processor everything. */
  readonly totalBytes: number
}

/** The library rounds the places of a context up to this many. */
const cellsStep = 256
/** Measured on Linux with vocabularies of 1 000 to 152 000 tokens, within 45 MB: see `npm run bench:fit`. */
const processBytesAlone = 40e6
const processBytesPerToken = 1300

/**
 * What a model takes on one device, everything on it. Worked out from the shape that the header tells, and checked against what the library
 * allocates: `memory-need.test.ts`, `npm run bench:fit`. The driver's own share of a GPU (its context, about some hundred MB) is not in it.
 */
export function memoryNeed(layout: ModelLayout, options: MemoryOptions, on: 'gpu' | 'cpu' = 'gpu'): MemoryNeed {
  const layers = layout.layers.reduce((sum, { bytes }) => sum + bytes, 0)
  // On a GPU the embedding stays outside; the output is there, and is the embedding once more where the model has no own.
  const matrices = on === 'gpu' ? layout.outputBytes : layout.inputBytes + (layout.tiedOutput ? 0 : layout.outputBytes)
  const weightsBytes = layers + matrices + layout.otherBytes
  const contextBytes = layout.layers.reduce((sum, layer) => sum + contextOf(layer, options), 0)
  const computeBytes = computeOf(layout, options)
  const processBytes = processBytesAlone + processBytesPerToken * layout.vocabulary
  const onDevice = weightsBytes + contextBytes + computeBytes
  return { weightsBytes, contextBytes, computeBytes, processBytes, totalBytes: onDevice + (on === 'cpu' ? processBytes : 0) }
}

/** What one layer keeps of the context. */
export function contextOf(layer: ModelLayout['layers'][number], options: MemoryOptions): number {
  const { contextTokens, sequences, contextValueBytes = 2, batchTokens = 512 } = options
  // A layer with a window needs what it looks back to, and room for the tokens that are computed at once.
  const tokens = layer.window === null ? contextTokens : Math.min(contextTokens, layer.window + batchTokens)
  const cells = Math.ceil(tokens / cellsStep) * cellsStep
  return cells * sequences * (layer.keyValues + layer.valueValues) * contextValueBytes
}

/** The widest moment of the computation: either inside a layer or at the output. */
function computeOf(layout: ModelLayout, options: MemoryOptions): number {
  const { contextTokens, sequences, flashAttention = true, batchTokens = 512 } = options
  const { embedding, vocabulary, feedForward, heads } = layout
  const output = batchTokens * 4 * (vocabulary + 2 * embedding)
  const mask = batchTokens * contextTokens * (flashAttention ? 2 : 4)
  const scores = flashAttention ? 0 : batchTokens * 4 * heads * contextTokens
  const feed = batchTokens * 4 * (3 * feedForward + 4 * embedding)
  const layer = flashAttention ? mask + feed : mask + Math.max(scores + batchTokens * 4 * 7 * embedding, feed)
  return Math.max(output, layer) + sequences * vocabulary * 4
}
