import type { ModelShape } from './catalog.ts'
import type { ModelLayout } from './layout.ts'
import { contextOf, type MemoryNeed, type MemoryOptions, memoryNeed } from './memory-need.ts'
import { roughLayout } from './rough-layout.ts'

/** Where a model would run. `gpu` null: on the processor. */
export interface FitMachine {
  readonly gpu: { readonly name: string; readonly memoryBytes: number } | null
  /** Memory of the computer. */
  readonly memoryBytes: number
}

/** `well`: at least a tenth of the device stays free. `tight`: it fits, the context may be shorter. `with-ram`: some layers run beside the GPU. */
export type FitWord = 'well' | 'tight' | 'with-ram' | 'too-big'

export interface Fit {
  readonly word: FitWord
  readonly device: 'gpu' | 'cpu'
  /** Memory of the device. */
  readonly deviceBytes: number
  readonly weightsBytes: number
  readonly contextBytes: number
  /** What it takes in all. */
  readonly needBytes: number
  /** Of each answer. */
  readonly contextTokens: number
  /** Layers on the GPU of all layers, where not all fit. */
  readonly split: { readonly onGpu: number; readonly of: number } | null
  /** True before the header is known: reckoned from what is published of the model, or from its size alone. */
  readonly rough: boolean
  /** What the file will probably have, where that is not known; `weightsBytes` has a reserve then. */
  readonly roughFileBytes?: number
}

/** Shorter than this no context is offered to make a model fit. */
const leastContextTokens = 2048
/** The computer's memory serves everything else too. */
const shareOfMemory = { well: 0.75, tight: 0.9 } as const
const shareOfGpu = { well: 0.9, tight: 1 } as const
/** By so much of itself the size of weights may be more than their number says. */
const roughExtra = 0.1

type Machine = Pick<FitMachine, 'gpu' | 'memoryBytes'>

function deviceOf({ gpu, memoryBytes }: Machine): {
  device: Fit['device']
  deviceBytes: number
  shares: { well: number; tight: number }
} {
  return gpu === null
    ? { device: 'cpu', deviceBytes: memoryBytes, shares: shareOfMemory }
    : { device: 'gpu', deviceBytes: gpu.memoryBytes, shares: shareOfGpu }
}

/**
 * Whether a model fits, and how (ui.md §5.3): the wanted context if it can be, a shorter one if that is what it takes, else some layers beside the
 * GPU.
 */
export function fitOf(layout: ModelLayout, machine: FitMachine, wanted: MemoryOptions): Fit {
  const { device, deviceBytes, shares } = deviceOf(machine)
  const trained = layout.contextTokens ?? wanted.contextTokens
  const most = Math.min(wanted.contextTokens, trained)
  const describe = (word: FitWord, contextTokens: number, need: MemoryNeed, split: Fit['split'] = null): Fit => ({
    ...{ word, device, deviceBytes, contextTokens, split, rough: false, weightsBytes: need.weightsBytes },
    ...{ contextBytes: need.totalBytes - need.weightsBytes, needBytes: need.totalBytes },
  })
  const whole = memoryNeed(layout, { ...wanted, contextTokens: most }, device)
  if (whole.totalBytes <= deviceBytes * shares.well) return describe('well', most, whole)
  for (let contextTokens = most; ; contextTokens = Math.max(leastContextTokens, Math.floor(contextTokens / 2))) {
    const need = memoryNeed(layout, { ...wanted, contextTokens }, device)
    if (need.totalBytes <= deviceBytes * shares.tight) return describe('tight', contextTokens, need)
    if (contextTokens <= leastContextTokens) break
  }
  const shortest = { ...wanted, contextTokens: Math.min(most, leastContextTokens) }
  const smallest = memoryNeed(layout, shortest, device)
  if (machine.gpu === null) return describe('too-big', shortest.contextTokens, smallest)
  const onGpu = layersOnGpu(layout, deviceBytes * shareOfGpu.well, shortest)
  const beside = layout.layers.slice(onGpu).reduce((sum, layer) => sum + layer.bytes + contextOf(layer, shortest), 0)
  const inMemory = beside + layout.inputBytes + smallest.processBytes
  const fits = onGpu > 0 && inMemory <= machine.memoryBytes * shareOfMemory.well
  const split = { onGpu, of: layout.layers.length }
  return fits
    ? describe('with-ram', shortest.contextTokens, smallest, split)
    : describe('too-big', shortest.contextTokens, smallest)
}

/** Bytes that models may take together where they run: a tenth of a card stays free, a quarter of the computer's memory. */
export function roomForModels(machine: FitMachine): number {
  const { deviceBytes, shares } = deviceOf(machine)
  return Math.floor(deviceBytes * shares.well)
}

/** What a model takes with the longest context, up to the wanted one, that `bytes` have room for; with the shortest one where none fits. */
export function needWithin(
  layout: ModelLayout,
  machine: FitMachine,
  wanted: MemoryOptions,
  bytes: number,
): { readonly contextTokens: number; readonly bytes: number } {
  const { device } = deviceOf(machine)
  for (let contextTokens = Math.min(wanted.contextTokens, layout.contextTokens ?? wanted.contextTokens); ; ) {
    const { totalBytes } = memoryNeed(layout, { ...wanted, contextTokens }, device)
    if (totalBytes <= bytes || contextTokens <= leastContextTokens) return { contextTokens, bytes: totalBytes }
    contextTokens = Math.max(leastContextTokens, Math.floor(contextTokens / 2))
  }
}

/** How many of the last layers a GPU holds beside the output, the context of those layers and the computation. */
export function layersOnGpu(layout: ModelLayout, gpuBytes: number, options: MemoryOptions): number {
  const { computeBytes } = memoryNeed(layout, options)
  let left = gpuBytes - computeBytes - layout.outputBytes - layout.otherBytes
  let count = 0
  for (const layer of layout.layers.toReversed()) {
    left -= layer.bytes + contextOf(layer, options)
    if (left < 0) break
    count++
  }
  return count
}

/** What is known of a model before its header is. */
export interface RoughFacts {
  /** Known, or estimated from the number of weights. */
  readonly weightsBytes: number
  readonly isSizeKnown: boolean
  readonly shape: ModelShape | null
  readonly contextTokens: number | null
}

/** The same before the header is here. Where something is not known it errs high. */
export function roughFit(
  { weightsBytes, isSizeKnown, shape, contextTokens }: RoughFacts,
  machine: FitMachine,
  wanted: MemoryOptions,
): Fit {
  const most = isSizeKnown ? weightsBytes : Math.ceil(weightsBytes * (1 + roughExtra))
  const fit = fitOf(roughLayout(most, shape, contextTokens), machine, wanted)
  const split = shape === null ? null : fit.split
  const parts = { weightsBytes: most, contextBytes: fit.needBytes - most }
  return { ...fit, ...parts, split, rough: true, ...(!isSizeKnown && { roughFileBytes: weightsBytes }) }
}
