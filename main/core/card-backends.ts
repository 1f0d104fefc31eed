import type { HardwareFacts } from '../../preload/api/system.ts'
import type { EngineState } from '../inference/engine.ts'

const gpuBackend = (name: string): 'cuda' | 'vulkan' | 'metal' | undefined =>
  name === 'cuda' || name === 'vulkan' || name === 'metal' ? name : undefined

/** Vulkan writes the name of its driver after that of the card. */
export const isNamed = (device: string, card: string): boolean => device === card || device.startsWith(`${card} (`)

/** Adds to the cards what the engine's library found when it loaded a model: its list names the cards that its back end uses. A name that two cards have says nothing. */
export function seenByEngine(facts: HardwareFacts, state: EngineState): HardwareFacts {
  const backend = state.status === 'ready' ? gpuBackend(state.backend) : undefined
  const devices = state.status === 'ready' ? (state.devices ?? []) : []
  if (backend === undefined) return facts
  const only = (name: string): boolean => facts.gpus.filter((card) => card.name === name).length === 1
  return {
    ...facts,
    gpus: facts.gpus.map((card) =>
      only(card.name) && devices.some((device) => isNamed(device, card.name))
        ? {
            ...card,
            backends: { cuda: null, vulkan: null, metal: null, ...card.backends, [backend]: true },
            usedBackend: backend,
          }
        : card,
    ),
  }
}
