import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readGgufHeader } from './gguf.ts'
import type { ModelLayout } from './layout.ts'
import { contextOf, memoryNeed } from './memory-need.ts'
import { type Shape, writeShapedGguf } from './testing/shaped-gguf.ts'

const shape: Shape = {
  ...{ embedding: 512, layers: 8, heads: 8, kvHeads: 4, headSize: 64, feedForward: 2048 },
  ...{ vocabulary: 32_000, contextTokens: 16_384, type: 8, tied: false },
}
let folder: string
let path: string
let layout: ModelLayout

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-need-'))
  path = join(folder, 'shaped.gguf')
  await writeShapedGguf(path, shape)
  const header = await readGgufHeader(path)
  if (header.layout === null) throw new Error('no layout')
  layout = header.layout
})
afterAll(() => rm(folder, { recursive: true }))

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
