import type { Gpu } from '../../../preload/api/system.ts'

export interface CardBackend {
  readonly name: 'CUDA' | 'Vulkan' | 'Metal'
  readonly state: 'used' | 'ready' | 'unknown'
}

const names = { cuda: 'CUDA', vulkan: 'Vulkan', metal: 'Metal' } as const

/** What a card can be used by, in the order in which the engine prefers them; what cannot be is left out. Undefined where nobody looked. */
export function backendsToShow({ backends, usedBackend }: Gpu): readonly CardBackend[] | undefined {
  if (backends === undefined) return undefined
  const order = ['metal', 'cuda', 'vulkan'] as const
  return order.flatMap((id): CardBackend[] => {
    if (id === usedBackend) return [{ name: names[id], state: 'used' }]
    if (backends[id] === false) return []
    return [{ name: names[id], state: backends[id] === null ? 'unknown' : 'ready' }]
  })
}
