import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { LoadOrder } from './engine-messages.ts'

/** What a model got less of than asked for, for want of memory. */
export type LoadNotice =
  /** Tokens of context of each answer. */
  | { readonly kind: 'less-context'; readonly asked: number; readonly got: number }
  /** Layers on the graphics card; the others are worked on by the processor. */
  | { readonly kind: 'fewer-layers'; readonly asked: number; readonly got: number }

/** Less than this is of no use for a chat. */
const leastContext = 2_048
const layerSteps = [1, 0.5, 0] as const

/**
 * What to try when the memory was not enough for `order`, by rule: first half the context, down to 2,048 tokens, then half of the layers on the
 * graphics card, then none. Undefined when there is nothing left to try.
 */
export function lighter(order: LoadOrder): LoadOrder | undefined {
  if (order.contextTokens > leastContext)
    return { ...order, contextTokens: Math.max(leastContext, Math.floor(order.contextTokens / 2)) }
  const next = order.gpu === false ? undefined : layerSteps.find((part) => part < order.gpuPart)
  return next === undefined ? undefined : { ...order, gpuPart: next }
}

/** A process that crashes so often while it loads is given up. */
export const mostCrashesWhileLoading = 3

/**
 * Starts with `order`, and where memory is short again with less, by the rule of `lighter`. Systems end a process that takes more memory than there
 * is without a word: after a second crash less is tried too. Throws what the last try failed with.
 */
export async function withLess(
  first: LoadOrder,
  start: (order: LoadOrder) => Promise<void>,
  { isCurrent, logger }: { readonly isCurrent: () => boolean; readonly logger: Logger },
): Promise<void> {
  let order = first
  for (let crashes = 0; ; ) {
    try {
      return await start(order)
    } catch (error) {
      if (!(error instanceof Failure) || !isCurrent()) throw error
      const isCrash = error.code === 'engine-crashed' && ++crashes < mostCrashesWhileLoading
      const less = error.code === 'too-little-memory' || crashes > 1 ? lighter(order) : undefined
      if (!isCrash && less === undefined) throw error
      order = less ?? order
      const { contextTokens, gpuPart } = order
      logger.warn('the model was not loaded, trying again', { reason: error.code, contextTokens, gpuPart })
    }
  }
}

/** Whether a failed load is one for want of memory. The library names it so; a process that the system ended while it loaded tells nothing. */
export function isWantOfMemory(reason: string): boolean {
  return /memory|alloc|VRAM|too large|failed to create context/i.test(reason)
}

/**
 * @param asked tokens of context asked for at first; more than the model was made for is never given
 * @param layers of the model; `gpuLayers` of them are on the graphics card
 */
export function noticesOf(
  asked: { readonly contextTokens: number; readonly onGpu: boolean },
  model: { readonly trainedTokens: number; readonly layers: number },
  got: { readonly contextTokens: number; readonly gpuLayers: number },
): LoadNotice[] {
  const notices: LoadNotice[] = []
  const wanted = Math.min(asked.contextTokens, model.trainedTokens)
  if (got.contextTokens < wanted) notices.push({ kind: 'less-context', asked: wanted, got: got.contextTokens })
  if (asked.onGpu && got.gpuLayers < model.layers) notices.push({ kind: 'fewer-layers', asked: model.layers, got: got.gpuLayers })
  return notices
}
