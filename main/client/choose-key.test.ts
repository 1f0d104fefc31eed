import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { cacheScope } from '../protocol/sealed/direct/cache-scope.ts'
import { signKey } from '../protocol/sealed/direct/worker-key.ts'
import { sealedWorkerOf } from '../protocol/sealed/sealed-worker.ts'
import { fullModel, identity, owner, root, w5 } from '../protocol/sealed/testing/sealing-scene.ts'
import { chooseKey, type SealableWorker } from './worker-keys.ts'

const secret = randomBytes(32)
const rankFor = (conversation: string) => (keyId: Uint8Array) => cacheScope(secret, conversation, keyId)

async function worker(change: Partial<SealableWorker> = {}): Promise<SealableWorker> {
  const now = Date.now()
  const times = { createdAtMs: now, expiresAtMs: now + 3_600_000 }
  const key = await signKey({ publicKey: randomBytes(32), ...times, root, owner, wallet: w5, model: fullModel }, identity)
  const of = sealedWorkerOf(key, { kind: 'none' })
  return { key, worker: of, coefficient: 1000, hasRoom: true, takesQuestions: true, ...change }
}
const workers = await Promise.all(Array.from({ length: 8 }, () => worker()))
const chosen = (conversation: string, all: readonly SealableWorker[]) =>
  chooseKey(all, { maxCoefficient: 1000, attested: false, rankOf: rankFor(conversation) })

it('a conversation stays with its worker, in whatever order they are told, and conversations spread', () => {
  const names = Array.from({ length: 64 }, (_, index) => `chat ${index}`)
  for (const name of names) expect(chosen(name, workers.toReversed())).toBe(chosen(name, workers))
  expect(new Set(names.map((name) => chosen(name, workers))).size).toBeGreaterThan(4)
})

it('it moves only when its worker does not take it, and comes back', () => {
  const first = chosen('a chat', workers)
  expect(first).toBeDefined()
  const full = workers.map((one) => (one === first ? { ...one, hasRoom: false } : one))
  const next = chosen('a chat', full)
  expect(next).not.toBe(first)
  expect(full).toContain(next)
  for (const gone of workers)
    if (gone !== first)
      expect(
        chosen(
          'a chat',
          workers.filter((one) => one !== gone),
        ),
      ).toBe(first)
})

it('price goes before', async () => {
  const cheap = await worker({ coefficient: 900 })
  for (let index = 0; index < 16; index++) expect(chosen(`chat ${index}`, [...workers, cheap])).toBe(cheap)
})
