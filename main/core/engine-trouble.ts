import type { EngineState } from '../inference/engine.ts'

/** A sentence for programs: why the engine of this computer cannot be asked now. */
export function engineTrouble(state: EngineState): string {
  switch (state.status) {
    case 'no-model':
      return 'No model is loaded on this computer.'
    case 'loading':
      return `The model ${state.model} is being loaded.`
    case 'asleep':
      return state.why === 'yielded'
        ? `The model ${state.model} gave its memory to another program for now.`
        : `The model ${state.model} is being woken.`
    case 'restarting':
      return state.reason
    case 'failed':
      return `The model could not be loaded: ${state.reason}`
    case 'ready':
      return 'The model is being changed.'
  }
}
