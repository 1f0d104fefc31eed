import type { ModelShape } from './catalog.ts'
import type { LayerLayout, ModelLayout } from './layout.ts'

/**
 * Bytes of context a token for the root of the bytes of the weights, where the shape is not known. More than any model of the catalog needs; models
 * whose heads are not grouped (before 2023) need up to half as much again. `rough-layout.test.ts` compares.
 */
const contextBytesPerRoot = 6
/** Of the model of the catalog that has most; the computation goes by it. */
const mostTokens = 262_144
/** Layers of a model whose number of layers is not known: how it is split between a GPU and the processor goes by it. */
const unknownCount = 32

/**
 * What the memory need is reckoned from before the header is here: from the shape that was published, or by a rule that errs high where nobody told.
 * All weights are taken to lie on the device: how many of them are the embedding, which stays outside a GPU, is known only from the header.
 * @param weightsBytes known or estimated size of the file
 * @param contextTokens that the model was trained for, where the catalog says it
 */
export function roughLayout(weightsBytes: number, shape: ModelShape | null, contextTokens: number | null): ModelLayout {
  return {
    architecture: 'unknown',
    embedding: shape?.embedding ?? 0,
    heads: shape?.heads ?? 0,
    vocabulary: shape?.vocabulary ?? mostTokens,
    feedForward: shape?.feedForward ?? 0,
    contextTokens,
    layers: shape === null ? unknownLayers(weightsBytes) : layersOf(shape, weightsBytes),
    ...{ inputBytes: 0, outputBytes: 0, tiedOutput: false, otherBytes: 0, recurrent: false },
  }
}

function layersOf({ layers, keyValueHeads, headSize, window }: ModelShape, weightsBytes: number): LayerLayout[] {
  const values = keyValueHeads * headSize
  return Array.from({ length: layers }, (_, layer) => ({
    ...{ bytes: weightsBytes / layers, keyValues: values, valueValues: values },
    // One layer in so many looks at the whole text.
    window: window !== null && layer % window.period < window.period - 1 ? window.tokens : null,
  }))
}

function unknownLayers(weightsBytes: number): LayerLayout[] {
  // Two bytes each, keys and values alike.
  const values = Math.ceil((contextBytesPerRoot * Math.sqrt(weightsBytes)) / 4 / unknownCount)
  return new Array<LayerLayout>(unknownCount).fill({
    ...{ bytes: weightsBytes / unknownCount, keyValues: values, valueValues: values, window: null },
  })
}
