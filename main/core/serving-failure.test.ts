import { expect, it } from 'vitest'
import type { Told } from '../base/failure.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { noCapabilities } from '../inference/capabilities.ts'
import type { EngineState } from '../inference/engine.ts'
import type { VerifiedModel } from '../models/library.ts'
import { Engines } from './engines/engines.ts'
import { Serving } from './serving.ts'

const modelOf = (id: string): VerifiedModel => ({ id }) as unknown as VerifiedModel

/** A network that fails as often as it is told to, with no engine of another program. */
function scene() {
  const fails = { begin: 0, stop: 0 }
  const told: string[] = []
  const noWorker = new Signal<Told | null>(null)
  const fail = (what: keyof typeof fails): void => {
    if (fails[what]-- > 0) throw new Error(`${what} fails`)
  }
  const serving = new Serving({
    engine: { state: new Signal<EngineState>({ status: 'no-model' }), capabilities: noCapabilities },
    engines: new Engines({ secrets: { get: () => undefined, put: () => undefined }, logger }),
    network: {
      ...{ noWorker, worker: new Signal(null) },
      stopServing: async () => {
        told.push('stop')
        fail('stop')
      },
    },
    begin: async (served) => {
      told.push(`begin ${served.kind === 'own' ? served.model.id : served.engine.model}`)
      fail('begin')
      return null
    },
    onEnd: () => told.push('end'),
    onFailure: ({ message }) => told.push(message),
    logger,
  })
  return { serving, fails, noWorker, news: () => told.splice(0) }
}

it('tries a start again that failed, and tells why nothing serves', async () => {
  const { serving, fails, news } = scene()
  await serving.open()
  fails.begin = 1
  await expect(serving.ownReady(modelOf('a'))).rejects.toThrow('begin fails')
  expect(news()).toEqual(['begin a', 'begin fails'])
  await serving.ownReady(modelOf('a'))
  expect(news()).toEqual(['begin a'])
  await serving.ownReady(modelOf('a'))
  expect(news()).toEqual([])
  await serving.stop()
})

it('starts a worker anew after one that did not stop in peace', async () => {
  const { serving, fails, news } = scene()
  await serving.open()
  await serving.ownReady(modelOf('a'))
  news()
  fails.stop = 1
  await expect(serving.ownGone()).rejects.toThrow('stop fails')
  expect(news()).toEqual(['end', 'stop', 'stop fails'])
  await serving.ownReady(modelOf('a'))
  expect(news()).toEqual(['begin a'])
  await serving.stop()
})

it('ends the worker when the network takes none of this computer any more, and begins one when it does again', async () => {
  const { serving, noWorker, news } = scene()
  await serving.open()
  await serving.ownReady(modelOf('a'))
  news()
  noWorker.set({ text: 'It takes none.', words: { code: 'worker-cannot-attest' } })
  await serving.open()
  // To begin is what tells why there is none.
  expect(news()).toEqual(['end', 'stop', 'begin a'])
  noWorker.set(null)
  await serving.open()
  expect(news()).toEqual(['end', 'stop', 'begin a'])
  await serving.stop()
  noWorker.set({ text: 'It takes none.', words: { code: 'worker-cannot-attest' } })
  expect(news()).toEqual([])
})
