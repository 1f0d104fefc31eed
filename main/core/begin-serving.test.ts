import { expect, it } from 'vitest'
import { Signal } from '../base/signal.ts'
import type { Client } from '../client/client.ts'
import type { CapableEngine, EngineState } from '../inference/engine.ts'
import type { VerifiedModel } from '../models/library.ts'
import type { Worker } from '../worker/worker.ts'
import type { LiveNetwork } from './app-network.ts'
import { beginServing } from './begin-serving.ts'
import type { PracticeLink } from './practice-backend.ts'

const ready = (contextTokens: number): EngineState => ({ status: 'ready', model: 'm', contextTokens, backend: 'cpu' })

it('knows how much the model reads now: an engine that came back after a crash, or out of memory, may read less', async () => {
  const state = new Signal<EngineState>(ready(8192))
  let link: PracticeLink | undefined
  await beginServing(
    { kind: 'own', model: { name: 'M', identity: { baseName: 'm', fullName: 'm@c:h' } } as VerifiedModel },
    {
      engine: { state } as unknown as CapableEngine,
      network: {
        serve: async () => ({}) as Worker,
        live: new Signal({ own: {}, client: {} as Client } as LiveNetwork),
        noWorker: new Signal(null),
      },
      practice: { attach: (given) => (link = given), fail: () => undefined },
      external: () => null,
    },
  )
  expect(link?.contextTokens()).toBe(8192)
  state.set(ready(2048))
  expect(link?.contextTokens()).toBe(2048)
  state.set({ status: 'no-model' })
  expect(link?.contextTokens()).toBeUndefined()
})

it('says that the network takes no worker of this computer, where that is why nothing serves', async () => {
  const noWorker = { text: 'It takes none.', words: { code: 'worker-cannot-attest' } }
  const said: unknown[] = []
  await beginServing(
    { kind: 'own', model: { name: 'M', identity: { baseName: 'm', fullName: 'm@c:h' } } as VerifiedModel },
    {
      engine: { state: new Signal(ready(8192)) } as unknown as CapableEngine,
      network: { serve: async () => null, live: new Signal({ own: {} } as LiveNetwork), noWorker: new Signal(noWorker) },
      practice: { attach: () => expect.unreachable('no worker'), fail: (told) => said.push(told) },
      external: () => null,
    },
  )
  expect(said).toEqual([noWorker])
})
