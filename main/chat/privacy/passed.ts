import type { BackendEvent } from '../backend.ts'
import type { Gate, Permit } from './seal-keeper.ts'

/** Passes a gate for a backend: undefined when the answer was stopped meanwhile, so that there is nothing to send. Throws as the gate. */
export async function passed(gate: Gate, signal: AbortSignal): Promise<Permit | undefined> {
  try {
    const permit = await gate(signal)
    return signal.aborted ? undefined : permit
  } catch (thrown) {
    if (signal.aborted) return undefined
    throw thrown
  }
}

/** How an answer ends that was stopped before anything was sent. */
export const unsent = {
  type: 'final',
  usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 },
  reason: 'cancelled',
  stop: 'ended',
} as const satisfies BackendEvent
