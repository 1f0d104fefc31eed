import { describe, expect, it } from 'vitest'
import type { ModelState } from '../../preload/api/system.ts'
import { Signal } from '../base/signal.ts'
import type { EngineState } from '../inference/engine.ts'
import type { VerifiedModel } from '../models/library.ts'
import { sharedEngine } from './shared-engine.ts'

const model = { name: 'Tiny', sha256: 'ab'.repeat(32) } as VerifiedModel
const told = { name: 'Tiny', sha256: 'ab'.repeat(32), contextTokens: 2048 }

function share(first: EngineState, current: VerifiedModel | null = model) {
  const state = new Signal(first)
  const models = new Signal<readonly ModelState[]>([])
  const chat = (): never => expect.fail('nobody asked')
  return {
    state,
    models,
    shared: sharedEngine({ engine: { state, chat }, library: { models }, model: () => current ?? undefined }),
  }
}

describe('what paired devices see of the engine', () => {
  it.each<[EngineState, object]>([
    [
      { status: 'ready', model: 'Tiny', contextTokens: 2048, backend: 'cpu' },
      { engine: 'ready', model: told },
    ],
    [
      { status: 'asleep', model: 'Tiny', contextTokens: 2048, why: 'idle' },
      { engine: 'ready', model: told },
    ],
    [{ status: 'asleep', model: 'Tiny', contextTokens: 2048, why: 'yielded' }, { engine: 'unavailable' }],
    [{ status: 'loading', model: 'Tiny', progress: 0.5 }, { engine: 'starting' }],
    [{ status: 'restarting', reason: 'It crashed.' }, { engine: 'starting' }],
    [{ status: 'failed', reason: 'A secret path' }, { engine: 'unavailable' }],
    [{ status: 'no-model' }, { engine: 'unavailable' }],
  ])('%o', (state, seen) => {
    expect(share(state).shared.state.value).toEqual({ ...seen, models: [] })
  })

  it('names no model before its file was checked, and lists installed ones by name alone', () => {
    const { shared, models } = share({ status: 'ready', model: 'Tiny', contextTokens: 2048, backend: 'cpu' }, null)
    expect(shared.state.value).toEqual({ engine: 'starting', models: [] })
    const one = { id: 'tiny', name: 'Tiny', status: 'installed', loaded: true, path: '/secret' } as ModelState
    models.set([one, { ...one, name: 'Absent', status: 'absent' }])
    expect(shared.state.value.models).toEqual([{ name: 'Tiny', loaded: true }])
  })

  it('tells each change once', () => {
    const { shared, state, models } = share({ status: 'loading', model: 'Tiny', progress: 0.1 })
    const seen: string[] = []
    shared.state.onChange((next) => seen.push(next.engine))
    state.set({ status: 'loading', model: 'Tiny', progress: 0.2 })
    models.set([])
    state.set({ status: 'ready', model: 'Tiny', contextTokens: 2048, backend: 'cpu' })
    expect(seen).toEqual(['ready'])
  })
})
