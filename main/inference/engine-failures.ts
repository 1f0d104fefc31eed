import { asError, Failure, wordsOf } from '../base/failure.ts'
import type { EngineState } from './engine.ts'

export function notReady(message: string, retryable: boolean): Failure<'engine-not-ready'> {
  return new Failure('engine-not-ready', message, { retryable })
}

/** Of what was begun for a model before another one was chosen. */
export function replaced(): Failure<'engine-not-ready'> {
  return notReady('Another model was chosen.', true)
}

/** For whom a model gives its memory back: another program, or the user, who paused earning. */
export type GivenTo = 'other-program' | 'user'

/** Of a request while the memory is given away. */
export function yielded(to: GivenTo = 'other-program'): Failure<'engine-yielded'> {
  if (to === 'user')
    return new Failure('engine-yielded', 'Earning was paused, and the model gave its memory back.', {
      advice: 'Try again: the next request brings it back.',
      retryable: true,
    })
  return new Failure('engine-yielded', 'Another program was given the memory of the model.', {
    advice: 'Try again when it has ended.',
    retryable: true,
  })
}

/** Why nothing can be answered in `state`. */
export function notReadyIn(state: EngineState): Failure<'engine-not-ready'> {
  if (state.status === 'loading') return notReady('The model is still loading.', true)
  if (state.status === 'restarting') return notReady('The engine is restarting.', true)
  if (state.status === 'failed') return notReady(`The engine is not running: ${state.reason}`, false)
  return new Failure('engine-not-ready', 'No model is loaded.', { advice: 'Choose a model on the Models screen.' })
}

/** The state of an engine that gave its model up. */
export function failedBy(thrown: unknown): Extract<EngineState, { status: 'failed' }> {
  if (!(thrown instanceof Failure) || thrown.code !== 'engine-crashed')
    return { status: 'failed', reason: asError(thrown).message, words: wordsOf(thrown) }
  const reason = 'The engine stopped each time that it loaded the model.'
  return { status: 'failed', reason, words: { code: 'engine-gave-up' }, isCrash: true }
}
