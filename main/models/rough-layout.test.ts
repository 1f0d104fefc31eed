import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { roughWeights } from './bits-per-weight.ts'
import { type ModelShape, shippedCatalog } from './catalog.ts'
import { memoryNeed } from './memory-need.ts'
import { roughLayout } from './rough-layout.ts'
import { type ShapedModel, shape, shapedModel } from './testing/shaped-model.ts'

const options = { contextTokens: 8192, sequences: 1 }
const readAt = { where: 'the file of this test', when: '2026-11-23' }
const published: ModelShape = {
  ...{ layers: shape.layers, embedding: shape.embedding, heads: shape.heads, keyValueHeads: shape.kvHeads },
  ...{ headSize: shape.headSize, feedForward: shape.feedForward, vocabulary: shape.vocabulary, window: null, readAt },
}

describe('roughLayout', () => {
  let model: ShapedModel
  beforeAll(async () => {
    model = await shapedModel()
  })
  afterAll(() => model.remove())

  it('leads to the need that the header leads to, or more where the embedding stays outside', () => {
    const exact = memoryNeed(model.layout, options, 'cpu')
    const rough = memoryNeed(roughLayout(exact.weightsBytes, published, null), options, 'cpu')
    expect(rough.contextBytes).toBe(exact.contextBytes)
    expect(rough.totalBytes).toBeCloseTo(exact.totalBytes, 0)
    const onGpu = memoryNeed(roughLayout(exact.weightsBytes, published, null), options, 'gpu').totalBytes
    const more = onGpu - memoryNeed(model.layout, options, 'gpu').totalBytes
    expect(more).toBeCloseTo(model.layout.inputBytes, 0)
  })

  it('gives layers their window, but for one in a period', () => {
    const window = { tokens: 1024, period: 6 }
    const { layers } = roughLayout(1e9, { ...published, layers: 12, window }, null)
    expect(layers.map((layer) => layer.window)).toEqual([...five, null, ...five, null])
  })

  it('errs high where nobody told the shape: no model of the catalog needs more', () => {
    const shaped = shippedCatalog().filter((entry) => entry.shape !== null)
    expect(shaped.length).toBeGreaterThan(12)
    for (const entry of shaped) {
      const weights = roughWeights(entry) ?? entry.sources[0]?.sizeBytes
      if (!weights) throw new Error(`no size of ${entry.id}`)
      const [known, unknown] = [entry.shape, null].map((one) => memoryNeed(roughLayout(weights, one, null), options).totalBytes)
      expect(unknown, entry.id).toBeGreaterThanOrEqual(known ?? Number.POSITIVE_INFINITY)
    }
  })
})

const five = [1024, 1024, 1024, 1024, 1024]
