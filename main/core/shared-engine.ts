import type { ModelState } from '../../preload/api/system.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { HostState } from '../devices/link-messages.ts'
import type { SharedEngine } from '../devices/shared-engine.ts'
import { canAnswer, type Engine } from '../inference/engine.ts'
import type { VerifiedModel } from '../models/library.ts'

interface SharedParts {
  readonly engine: Pick<Engine, 'state' | 'chat'>
  readonly library: { readonly models: Watchable<readonly ModelState[]> }
  /** The model that the engine holds. */
  readonly model: () => VerifiedModel | undefined
}

/** This computer's engine as its paired devices see it. */
export function sharedEngine({ engine, library, model }: SharedParts): SharedEngine {
  const read = (): HostState => {
    const now = engine.state.value
    const current = model()
    const models = library.models.value
      .filter(({ status }) => status === 'installed')
      .map(({ name, loaded }) => ({ name: name.slice(0, 200), loaded }))
      .slice(0, 200)
    const answers = canAnswer(now)
    if (answers && current)
      return {
        engine: 'ready',
        model: { name: current.name.slice(0, 200), sha256: current.sha256, contextTokens: now.contextTokens },
        models,
      }
    const starting = now.status === 'loading' || now.status === 'restarting' || answers
    return { engine: starting ? 'starting' : 'unavailable', models }
  }
  const state = new Signal(read())
  const show = (): void => {
    const next = read()
    if (JSON.stringify(next) !== JSON.stringify(state.value)) state.set(next)
  }
  engine.state.onChange(show)
  library.models.onChange(show)
  return { state, chat: (messages, options, signal) => engine.chat(messages, options, signal) }
}
