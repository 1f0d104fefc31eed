import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readGgufHeader } from './gguf.ts'
import type { ModelLayout } from './layout.ts'
import { contextOf, memoryNeed } from './memory-need.ts'
import { writeShapedGguf } from './testing/shaped-gguf.ts'
import { type ShapedModel, shape, shapedModel } from './testing/shaped-model.ts'

let model: ShapedModel
let folder: string
let layout: ModelLayout

beforeAll(async () => {
  model = await shapedModel()
  folder = model.folder
  layout = model.layout
})
afterAll(() => model.remove())

describe('memoryNeed', () => {
  const options = { contextTokens: 4096, sequences: 1 }

  it('counts a tied output once on the processor, and as the output on a GPU', async () => {
    const tiedPath = join(folder, 'tied.gguf')
    await writeShapedGguf(tiedPath, { ...shape, tied: true })
    const tied = (await readGgufHeader(tiedPath)).layout
    expect(tied?.tiedOutput).toBe(true)
    if (!tied) throw new Error('no layout')
    const [onCpu, onGpu] = [memoryNeed(tied, options, 'cpu'), memoryNeed(tied, options, 'gpu')]
    expect(onCpu.weightsBytes).toBe(onGpu.weightsBytes)
    expect(memoryNeed(layout, options, 'cpu').weightsBytes).toBe(onCpu.weightsBytes + tied.outputBytes)
    expect(memoryNeed(layout, options, 'gpu').weightsBytes).toBe(onGpu.weightsBytes)
  })

  it('grows with context and answers at once, and halves with half the bytes a value', () => {
    const base = memoryNeed(layout, options).contextBytes
    expect(base).toBe(8 * 2 * 4 * 64 * 2 * 4096)
    expect(memoryNeed(layout, { ...options, sequences: 3 }).contextBytes).toBe(3 * base)
    expect(memoryNeed(layout, { ...options, contextTokens: 8192 }).contextBytes).toBe(2 * base)
    expect(memoryNeed(layout, { ...options, contextValueBytes: 1 }).contextBytes).toBe(base / 2)
  })

  it('lets a layer with a window keep only that, and the tokens computed at once', () => {
    const layer = { bytes: 0, keyValues: 100, valueValues: 100, window: 1024 }
    expect(contextOf(layer, { contextTokens: 32_768, sequences: 2 })).toBe(1536 * 2 * 200 * 2)
    expect(contextOf(layer, { contextTokens: 512, sequences: 1 })).toBe(512 * 200 * 2)
  })
})
