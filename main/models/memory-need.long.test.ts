import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readGgufHeader } from './gguf.ts'
import type { ModelLayout } from './layout.ts'
import { memoryNeed } from './memory-need.ts'
import { measureMemory } from './testing/measure-memory.ts'
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

describe('the estimate against what the library sets aside', () => {
  it.runIf(process.platform === 'linux').each([
    { contextTokens: 8192, sequences: 4, flashAttention: true },
    { contextTokens: 8192, sequences: 1, flashAttention: false },
  ])('is within a tenth: %j', { timeout: 60_000 }, async (options) => {
    const need = memoryNeed(layout, options, 'cpu')
    const real = await measureMemory(path, options)
    const ratio = (estimate: number, measured: number): number => Math.abs(estimate / measured - 1)
    expect(ratio(need.weightsBytes, real.buffers['CPU model'] ?? 0)).toBeLessThan(0.01)
    expect(ratio(need.contextBytes, real.buffers['CPU KV'] ?? 0)).toBeLessThan(0.01)
    expect(ratio(need.totalBytes - need.processBytes, real.bufferBytes)).toBeLessThan(0.1)
    // What the operating system counts besides the buffers depends on the machine: stacks and tables are known within 45 MB only.
    expect(Math.abs(real.allocatedBytes - real.bufferBytes - need.processBytes)).toBeLessThan(45e6)
  })
})
