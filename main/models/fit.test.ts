import { describe, expect, it } from 'vitest'
import { fitOf, layersOnGpu, type RoughFacts, roughFit } from './fit.ts'
import type { ModelLayout } from './layout.ts'
import { memoryNeed } from './memory-need.ts'

const GB = 1e9
/** About the shape of an 8 billion model at four and a half bits. */
const layout: ModelLayout = {
  architecture: 'llama',
  embedding: 4096,
  heads: 32,
  vocabulary: 128_000,
  feedForward: 14_336,
  contextTokens: 131_072,
  layers: Array.from({ length: 32 }, () => ({ bytes: 120e6, keyValues: 1024, valueValues: 1024, window: null })),
  inputBytes: 0.3e9,
  outputBytes: 0.43e9,
  tiedOutput: false,
  otherBytes: 20_000,
  recurrent: false,
}
const wanted = { contextTokens: 16_384, sequences: 1 }
const gpu = (memoryGB: number, ramGB = 32) => ({
  gpu: { name: 'Test GPU', memoryBytes: memoryGB * GB },
  memoryBytes: ramGB * GB,
})
const need = (contextTokens: number) => memoryNeed(layout, { ...wanted, contextTokens }).totalBytes

describe('fitOf', () => {
  it('says "well" only while a tenth of the GPU stays free', () => {
    const least = need(16_384) / 0.9 / GB
    expect(fitOf(layout, gpu(least + 0.001), wanted)).toMatchObject({ word: 'well', contextTokens: 16_384, device: 'gpu' })
    expect(fitOf(layout, gpu(least - 0.001), wanted)).toMatchObject({ word: 'tight', contextTokens: 16_384 })
  })

  it('shortens the context before it gives up the GPU, and says to what', () => {
    const fit = fitOf(layout, gpu(need(8192) / GB + 0.01), wanted)
    expect(fit).toMatchObject({ word: 'tight', contextTokens: 8192, split: null })
    expect(fit.needBytes).toBe(need(8192))
    expect(fitOf(layout, gpu(need(2048) / GB + 0.001), wanted)).toMatchObject({ word: 'tight', contextTokens: 2048 })
  })

  it('puts what is left over beside the GPU, if the memory of the computer holds it', () => {
    const fit = fitOf(layout, gpu(4), wanted)
    expect(fit).toMatchObject({ word: 'with-ram', split: { of: 32 } })
    expect(fit.split?.onGpu).toBeGreaterThan(10)
    expect(fit.split?.onGpu).toBeLessThan(32)
    expect(fitOf(layout, gpu(4, 2), wanted)).toMatchObject({ word: 'too-big', split: null })
    expect(fitOf(layout, gpu(0.5), wanted)).toMatchObject({ word: 'too-big' })
  })

  it('never offers more context than the model was trained for', () => {
    expect(fitOf({ ...layout, contextTokens: 4096 }, gpu(24), wanted).contextTokens).toBe(4096)
  })

  it('measures against the memory of the computer where there is no GPU', () => {
    const machine = { gpu: null, memoryBytes: 16 * GB }
    expect(fitOf(layout, machine, wanted)).toMatchObject({ word: 'well', device: 'cpu', deviceBytes: 16 * GB })
    expect(fitOf(layout, { ...machine, memoryBytes: 4 * GB }, wanted).word).toBe('too-big')
  })
})

describe('layersOnGpu', () => {
  it('fills what the computation and the output leave', () => {
    const { computeBytes } = memoryNeed(layout, wanted)
    const one = 120e6 + 2048 * 2 * 16_384
    const fixed = computeBytes + layout.outputBytes + layout.otherBytes
    expect(layersOnGpu(layout, fixed + 3 * one, wanted)).toBe(3)
    expect(layersOnGpu(layout, fixed + 3 * one - 1, wanted)).toBe(2)
    expect(layersOnGpu(layout, 0, wanted)).toBe(0)
  })
})

describe('roughFit', () => {
  const facts = { isSizeKnown: true, shape: null, contextTokens: null }
  it.each([
    [5, 'well'],
    [9.5, 'tight'],
    [20, 'with-ram'],
    [60, 'too-big'],
  ])('%d GB of weights on a GPU of 16 GB: %s', (weightsGB, word) => {
    expect(roughFit({ ...facts, weightsBytes: weightsGB * GB }, gpu(16), wanted)).toMatchObject({
      word,
      rough: true,
      split: null,
    })
  })

  it('counts the context, and a size that is not known higher', () => {
    const known = { ...facts, weightsBytes: GB }
    const need = (options: typeof wanted, more: Partial<RoughFacts> = {}) =>
      roughFit({ ...known, ...more }, gpu(64), options).needBytes
    expect(need({ ...wanted, sequences: 3 }) - need({ ...wanted, sequences: 2 })).toBeGreaterThan(2 * GB)
    expect(need(wanted, { isSizeKnown: false }) - need(wanted)).toBeGreaterThan(0.1 * GB)
    const [sure, unsure] = [true, false].map((isSizeKnown) => roughFit({ ...known, isSizeKnown }, gpu(64), wanted))
    // What is put on top of the weights is weights: the context is hardly another one.
    expect([sure?.weightsBytes, sure?.roughFileBytes]).toEqual([GB, undefined])
    expect([unsure?.weightsBytes, unsure?.roughFileBytes]).toEqual([Math.ceil(1.1 * GB), GB])
    for (const fit of [sure, unsure]) expect((fit?.weightsBytes ?? 0) + (fit?.contextBytes ?? 0)).toBe(fit?.needBytes)
    expect((unsure?.contextBytes ?? 0) / (sure?.contextBytes ?? 1)).toBeLessThan(1.06)
    expect(need(wanted, { contextTokens: 4096 })).toBe(need({ ...wanted, contextTokens: 4096 }))
  })
})
