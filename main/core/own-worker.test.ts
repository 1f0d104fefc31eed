import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { Signal } from '../base/signal.ts'
import type { EngineState } from '../inference/engine.ts'
import { newFolder, testKey } from '../localnet/testing.ts'
import { openDatabase } from '../storage/database.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import { ScriptedBackend } from '../worker/testing/scripted-backend.ts'
import { Worker } from '../worker/worker.ts'
import { networkGateway } from './network-gateway.ts'
import { PracticeBackend } from './practice-backend.ts'
import { w5Sealing } from './sealing-identity.ts'
import { dialPlain, PaidNetwork } from './testing/paid-network.ts'

const stranger = testKey(41)
const capabilities = { chatCompletions: true } as never

describe('the practice network beside a cheaper worker of a stranger, for the same model', () => {
  const folder = newFolder()
  const database = openDatabase(join(folder.path, 'other.sqlite'), workerMigrations, { logger: silentLogger })
  const theirs = new ScriptedBackend()
  let net: PaidNetwork
  let other: Worker
  let practice: PracticeBackend
  const engine = new Signal<EngineState>({ status: 'ready', model: theirs.model, contextTokens: 4096 } as EngineState)
  const gate = async () => ({ level: 'practice' as const, connection: 'standing' })
  const within = (): AbortSignal => AbortSignal.timeout(100_000)

  const told = () => net.client.sealableWorkers(theirs.model)
  const inChat = async (conversation = 'a chat'): Promise<string> => {
    let text = ''
    for await (const event of practice.answer([{ role: 'user', content: 'Who reads this?' }], within(), gate, conversation))
      if (event.type === 'text') text += event.text
    return text
  }
  const overApi = async (more: object = {}, key = 'a key'): Promise<string> => {
    const place = { capabilities, state: engine, external: new Signal({ identity: 'another program' }) }
    const body = { messages: [{ role: 'user', content: 'Who reads this?' }], ...more }
    const request = { endpoint: 'chat', model: theirs.model, body, stream: true, includeUsage: true } as const
    const offer = { model: theirs.model, capabilities }
    const answer = await networkGateway(practice, place, gate).prepare({ ...request, mostTokens: 64, answers: 1 }, offer, key)
    const running = answer.run(within())
    await running.head
    const parts: Uint8Array[] = []
    for await (const part of running.body) parts.push(part)
    return Buffer.concat(parts).toString()
  }

  beforeAll(async () => {
    net = await PaidNetwork.start()
    await net.openAccount()
    await net.workerReady()
    const wallet = new W5Wallet(net.chain, stranger)
    other = new Worker({
      root: net.root.config,
      owner: wallet.address,
      money: undefined,
      backend: theirs,
      modelName: net.modelName,
      database,
      dial: () => dialPlain(net.proxy.status.value.workerPort),
      logger: silentLogger,
      sealing: w5Sealing(stranger, 'local'),
      coefficient: 900,
      reconnectMs: 100,
    })
    wallet.close()
    other.start()
    practice = new PracticeBackend()
    practice.attach({
      client: net.client,
      model: theirs.model,
      modelName: 'Scripted',
      contextTokens: () => 4096,
      root: () => net.network.config,
      isPermitted: (wire) => wire === net.connection()?.wire,
      worker: net.worker,
      isOwnProxy: () => true,
      engine,
      refill: async () => undefined,
    })
    const deadline = performance.now() + 100_000
    const seated = async (): Promise<number> => (await net.client.models()).reduce((sum, { workers }) => sum + workers.length, 0)
    while ((await seated()) < 2 && performance.now() < deadline) await pause(100)
  })
  afterEach(() => {
    // Whatever happened: the stranger was never asked anything.
    expect(theirs.requests).toEqual([])
  })
  afterAll(async () => {
    practice.attach(undefined)
    await other.stop()
    await net.stop()
    database.close()
    folder.remove()
  })

  it.each([
    ['a chat', () => inChat()],
    ['the local API', () => overApi()],
  ])('has the app’s own worker answer %s', async (_name, ask) => {
    // A list that was told before both keys were here is held for a while.
    await expect.poll(async () => (await told()).length, { timeout: 60_000 }).toBe(2)
    const before = net.backend.requests.length
    // The stranger is the cheaper one: by chance alone the own one would not be asked.
    for (let left = 3; left > 0; left--) expect(await ask()).toContain('Hello')
    expect(net.backend.requests).toHaveLength(before + 3)
  })

  it('tells it which questions are of one conversation: turns of a chat, and requests of one program that name the same cache key', async () => {
    const before = net.backend.requests.length
    await inChat('a chat')
    await inChat('another chat')
    await inChat('a chat')
    await overApi()
    await overApi({ prompt_cache_key: 'draft' })
    await overApi({ prompt_cache_key: 'draft' })
    await overApi({ prompt_cache_key: 'draft' }, 'another key')
    await overApi({ prompt_cache_key: 'a chat' })
    const asked = net.backend.requests.slice(before)
    const scopes = asked.map(({ cacheScope }) => cacheScope)
    expect(scopes).toHaveLength(8)
    const [chat, , again, none, draft, draftAgain] = scopes
    expect([again, none, draftAgain]).toEqual([chat, undefined, draft])
    expect(new Set(scopes).size).toBe(6)
    for (const scope of scopes) if (scope !== undefined) expect(scope).toMatch(/^conversation [0-9a-f]{64}$/)
    // Neither names reach it.
    for (const { body } of asked) expect(Buffer.from(body).toString()).not.toMatch(/draft|a chat|prompt_cache_key/)
  })

  it('says that the own worker is paused instead of asking the other', async () => {
    net.worker.pause()
    expect(practice.state.value).toMatchObject({ state: 'unavailable', reasonWords: { code: 'worker-paused' } })
    await expect(inChat()).rejects.toMatchObject({ code: 'not-ready', words: { code: 'worker-paused' } })
    // A question that was on its way when the pause came.
    await expect(overApi()).rejects.toMatchObject({ code: expect.stringMatching(/no-worker|not-ready|seal-unavailable/) })
    net.worker.resume()
    await expect.poll(() => practice.state.value.state).toBe('ready')
    expect(await inChat()).toContain('Hello')
  })

  it('waits for the own worker while it comes back, and asks nobody meanwhile', async () => {
    const before = net.backend.requests.length
    await net.worker.stop()
    const answered = inChat()
    await pause(1_500)
    expect(net.backend.requests).toHaveLength(before)
    net.worker.start()
    expect(await answered).toContain('Hello')
    expect(net.backend.requests).toHaveLength(before + 1)
  })
})
