import type { LevelState } from '../../preload/api/chat.ts'
import { Failure, retold } from '../base/failure.ts'
import { Signal } from '../base/signal.ts'
import type { ChatMessage, Engine, EngineState, GenerationOptions } from '../inference/engine.ts'
import type { BackendEvent, ChatBackend } from './backend.ts'
import { passed, unsent } from './privacy/passed.ts'
import type { Gate } from './privacy/seal-keeper.ts'

/** A small model may turn in circles for ever; the user is told where its answer was cut, and can ask it to go on. */
export const mostTokens = 2_048

/** Level "On this computer": the engine directly, no network, free. */
export function computerBackend(engine: Engine, options: GenerationOptions = { maxTokens: mostTokens }): ChatBackend {
  const state = new Signal<LevelState>(levelState(engine.state.value))
  engine.state.onChange((next) => state.set(levelState(next)))
  return { level: 'computer', state, answer: (messages, signal, gate) => answer(engine, messages, options, signal, gate) }
}

async function* answer(
  engine: Engine,
  messages: readonly ChatMessage[],
  options: GenerationOptions,
  signal: AbortSignal,
  gate: Gate,
): AsyncGenerator<BackendEvent> {
  try {
    if (!(await passed(gate, signal))) {
      yield unsent
      return
    }
    for await (const event of engine.chat(messages, options, signal)) {
      if (event.type === 'text') yield { type: 'text', text: event.text }
      else if (event.type === 'done')
        yield { type: 'final', usage: event.usage, reason: event.reason, ...(event.reason === 'cancelled' && { stop: 'ended' }) }
    }
  } catch (thrown) {
    const state = engine.state.value
    if (!(thrown instanceof Failure && thrown.code === 'context-too-small') || state.status !== 'ready') throw thrown
    throw retold(thrown, { words: { code: thrown.code, values: { most: state.contextTokens } } })
  }
}

function levelState(engine: EngineState): LevelState {
  const level = 'computer'
  switch (engine.status) {
    case 'no-model':
      return {
        level,
        state: 'unavailable',
        reason: 'No model is loaded. Choose one under Models.',
        reasonWords: { code: 'no-model-loaded' },
      }
    case 'loading':
      return {
        level,
        state: 'starting',
        model: engine.model,
        reason: `Loading ${engine.model}, ${Math.floor(engine.progress * 100)}%`,
        reasonWords: { code: 'model-loading', values: { model: engine.model, percent: Math.floor(engine.progress * 100) } },
      }
    case 'ready':
      return { level, state: 'ready', model: engine.model }
    case 'asleep':
      // A model that sleeps for want of work comes back with the next question.
      if (engine.why === 'idle') return { level, state: 'ready', model: engine.model, asleep: true }
      return {
        level,
        state: 'unavailable',
        reason: 'Another program was given the memory of the model. Try again when it has ended.',
        reasonWords: { code: 'engine-yielded' },
      }
    case 'restarting':
      return { level, state: 'starting', reason: `The engine is starting again: ${engine.reason}`, ...words(engine) }
    case 'failed':
      return { level, state: 'unavailable', reason: engine.reason, ...words(engine) }
  }
}

function words({ words }: Extract<EngineState, { reason: string }>): Pick<LevelState, 'reasonWords'> {
  return words === undefined ? {} : { reasonWords: words }
}
