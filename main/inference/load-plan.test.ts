import { describe, expect, it } from 'vitest'
import type { LoadOrder } from './engine-messages.ts'
import { isWantOfMemory, lighter, noticesOf } from './load-plan.ts'

const order: LoadOrder = {
  ...{ path: 'm.gguf', contextTokens: 8192, askedContextTokens: 8192, sequences: 2, threads: 1, gpu: 'auto', gpuPart: 1 },
  ...{ kvCache: 'f16', keepOwn: false },
}

function steps(first: LoadOrder): [number, number][] {
  const all: [number, number][] = []
  for (let next = lighter(first); next !== undefined; next = lighter(next)) all.push([next.contextTokens, next.gpuPart])
  return all
}

describe('what is tried when memory is short', () => {
  it('takes less context first, then fewer layers on the graphics card', () => {
    expect(steps(order)).toEqual([
      [4096, 1],
      [2048, 1],
      [2048, 0.5],
      [2048, 0],
    ])
    expect(steps({ ...order, contextTokens: 3000, gpu: false })).toEqual([[2048, 1]])
    expect(steps({ ...order, contextTokens: 1024, gpu: false })).toEqual([])
  })
  it('says what was asked for and what was got', () => {
    const model = { trainedTokens: 4096, layers: 30 }
    const asked = { contextTokens: 8192, onGpu: true }
    expect(noticesOf(asked, model, { contextTokens: 4096, gpuLayers: 30 })).toEqual([])
    expect(noticesOf(asked, model, { contextTokens: 2048, gpuLayers: 12 })).toEqual([
      { kind: 'less-context', asked: 4096, got: 2048 },
      { kind: 'fewer-layers', asked: 30, got: 12 },
    ])
    expect(noticesOf({ ...asked, onGpu: false }, model, { contextTokens: 4096, gpuLayers: 0 })).toEqual([])
  })
  it('knows the want of memory from a bad file', () => {
    expect(isWantOfMemory('A context size of 8192 is too large for the available VRAM')).toBe(true)
    expect(isWantOfMemory('Failed to create context')).toBe(true)
    expect(isWantOfMemory('Failed to load model: unknown architecture')).toBe(false)
  })
})
