import { expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { model, proxy, ringOf, root } from '../protocol/sealed/testing/sealing-scene.ts'
import { KnownKeys } from './known-keys.ts'
import { WorkerKeys } from './worker-keys.ts'

it('a list of workers’ keys is asked for again after the clock was put back: how old it is, nobody knows', async () => {
  let nowMs = Date.now()
  let asked = 0
  const { signedKey } = await ringOf({ now: () => nowMs }).current()
  const keys = new WorkerKeys({
    root,
    proxy: proxy.toRawString(),
    known: new KnownKeys(),
    ask: async () => {
      asked += 1
      const told = { signed_key: signedKey, coefficient: 1000, active_requests: 0, max_active_requests: 1 }
      return { '@type': 'client.workerKeys', keys: [{ '@type': 'client.workerKey', ...told }] }
    },
    policy: () => undefined,
    logger: silentLogger,
    now: () => nowMs,
  })
  await keys.of(model)
  nowMs += 19_000
  expect((await keys.of(model)).workers).toHaveLength(1)
  expect(asked).toBe(1)
  nowMs -= 60_000
  await keys.of(model)
  expect(asked).toBe(2)
})
