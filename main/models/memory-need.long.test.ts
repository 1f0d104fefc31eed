import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryNeed } from './memory-need.ts'
import { measureMemory } from './testing/measure-memory.ts'
import { type ShapedModel, shapedModel } from './testing/shaped-model.ts'

let model: ShapedModel

beforeAll(async () => {
  model = await shapedModel()
})
afterAll(() => model.remove())

describe('the estimate against what the library sets aside', () => {
  it.runIf(process.platform === 'linux').each([
    { contextTokens: 8192, sequences: 4, flashAttention: true },
    { contextTokens: 8192, sequences: 1, flashAttention: false },
  ])('is within a tenth: %j', { timeout: 60_000 }, async (options) => {
    const need = memoryNeed(model.layout, options, 'cpu')
    const real = await measureMemory(model.path, options)
    const ratio = (estimate: number, measured: number): number => Math.abs(estimate / measured - 1)
    expect(ratio(need.weightsBytes, real.buffers['CPU model'] ?? 0)).toBeLessThan(0.01)
    expect(ratio(need.contextBytes, real.buffers['CPU KV'] ?? 0)).toBeLessThan(0.01)
    expect(ratio(need.totalBytes - need.processBytes, real.bufferBytes)).toBeLessThan(0.1)
    // What the operating system counts besides the buffers depends on the machine: stacks and tables are known within 45 MB only.
    expect(Math.abs(real.allocatedBytes - real.bufferBytes - need.processBytes)).toBeLessThan(45e6)
  })
})
