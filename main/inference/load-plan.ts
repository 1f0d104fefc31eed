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
