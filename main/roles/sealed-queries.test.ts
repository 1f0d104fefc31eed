import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogger, silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { canaryBelow, newCanary, spelledIn } from '../base/testing/canary.ts'
import type { ChildEntries } from '../child-entries.ts'
import { clientMigrations } from '../client/account-store.ts'
import { type ChatRequest, Client } from '../client/client.ts'
import type { QueryHandle } from '../client/running-query.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { recordingPort } from '../protocol/sealed/testing/recording-port.ts'
import { identity, owner } from '../protocol/sealed/testing/sealing-scene.ts'
import type { CocoonProxy } from '../proxy/proxy.ts'
import { goldenRoot, goldenWallet, pseudoProxy, temporaryFolder } from '../proxy/testing/fixtures.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import type { WorkerOptions } from '../worker/options.ts'
import { ScriptedBackend } from '../worker/testing/scripted-backend.ts'
import { modelName } from '../worker/testing/worker-peer.ts'
import { Worker } from '../worker/worker.ts'
import { type ClientSeal, startClientRole } from './client-role.ts'

const model = 'Qwen/Qwen3-8B'
const secret = 'The canary sings at midnight'
const never = new AbortController().signal

const root = new Signal<RootConfig | null>({
  ...goldenRoot(),
  proxies: [{ seqno: 1, forWorkers: { host: '127.0.0.1', port: 1 }, forClients: { host: '127.0.0.1', port: 2 } }],
})
const shared = { root, money: undefined, logger: silentLogger, reconnectMs: 20, handshakeTimeoutMs: 15_000 }
const request = (content: string, more: Partial<ChatRequest> & { stream?: boolean; max?: number } = {}): ChatRequest => {
  const { stream = true, max = 100, ...rest } = more
  return {
    model,
    maxTokens: 100,
    body: JSON.stringify({ model, stream, max_tokens: max, messages: [{ role: 'user', content }] }),
    ...rest,
  }
}
const textOf = async (handle: QueryHandle): Promise<string> => {
  let text = ''
  for await (const bytes of handle.body) text += Buffer.from(bytes).toString()
  return text
}

/** Our client, proxy and worker over real sockets; what goes through both of the proxy's ports is written down, as a proxy would see it. */
describe('sealed queries through a whole network', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-sealed-'))
  let databases = 0
  let closers: (() => Promise<void> | void)[] = []
  let proxy: CocoonProxy
  let seen: Awaited<ReturnType<typeof recordingPort>>[] = []

  async function start(
    change: { proxy?: Parameters<typeof pseudoProxy>[1]; deps?: Parameters<typeof pseudoProxy>[2] } = {},
    storage = temporaryFolder(),
  ): Promise<void> {
    proxy = pseudoProxy(storage.path, change.proxy, change.deps)
    await proxy.start()
    seen = await Promise.all(
      [proxy.status.value.workerPort, proxy.status.value.clientPort].map((port) => recordingPort(port ?? 0)),
    )
    closers.push(storage.remove, () => proxy.stop(), ...seen.map(({ close }) => close))
  }
  function databaseOf(migrations: readonly string[]): Database {
    const database = openDatabase(join(folder, `${databases++}.sqlite`), migrations, { logger: silentLogger })
    closers.push(() => database.close())
    return database
  }
  beforeEach(() => {
    closers = [() => rmSync(folder, { recursive: true, force: true })]
  })
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  async function startWorker(change: Partial<WorkerOptions> = {}) {
    const backend = new ScriptedBackend()
    const database = databaseOf(workerMigrations)
    const dial = () => seen[0]?.dial() ?? Promise.reject(new Error('no port'))
    const worker = new Worker({ ...shared, owner, backend, modelName, database, dial, sealing: identity, ...change })
    worker.start()
    closers.push(() => worker.stop())
    await expect.poll(() => worker.state.value.connections[0]?.phase).toBe('ready')
    return { worker, backend }
  }
  async function startClient(change: Partial<ConstructorParameters<typeof Client>[0]> = {}, findsKeys = true): Promise<Client> {
    const database = databaseOf(clientMigrations)
    const dial = () => seen[1]?.dial() ?? Promise.reject(new Error('no port'))
    const client = new Client({
      ...shared,
      owner: goldenWallet,
      masterSecret: new Uint8Array(32).fill(1),
      database,
      dial,
      ...change,
    })
    client.start()
    closers.push(() => client.stop())
    await client.whenReady(AbortSignal.timeout(60_000))
    // The worker's key may still be on its way to the proxy.
    if (findsKeys) await expect.poll(async () => (await client.sealableWorkers(model)).length).toBe(1)
    return client
  }
  const passedThrough = (): Buffer =>
    Buffer.concat(
      seen.flatMap(({ bytes }) => {
        const { there, back } = bytes()
        return [there, back]
      }),
    )

  it('a question is sealed by itself where all three take part, and the proxy sees nothing of it', async () => {
    await start()
    const { backend } = await startWorker()
    const client = await startClient()
    const handle = client.runChat(request(secret), never)
    const text = await textOf(handle)
    expect(text).toContain('"content":"Hello"')
    expect(await handle.head).toMatchObject({
      status: 200,
      headers: expect.arrayContaining([['content-type', 'text/event-stream; charset=utf-8']]),
    })
    const end = await handle.end
    expect(end.tokens?.total).toBeGreaterThan(0n)
    expect(Buffer.from(backend.requests[0]?.body ?? []).toString()).toContain(secret)
    for (const hidden of [secret, 'Hello', 'midnight', 'event-stream', 'messages']) {
      expect([hidden, passedThrough().includes(hidden)]).toEqual([hidden, false])
    }
    expect(handle.seal).toMatchObject({
      scheme: 'direct',
      worker: { owner: owner.toRawString(), ownerProof: 'w5', model: modelName, attestation: { kind: 'none' } },
      answer: { state: 'whole' },
      usage: { statedTokens: end.tokens?.total.toString(), deviations: [], worker: { completionTokens: 5, promptTokens: 16 } },
    })
  })

  it.each(['required', 'none'] as const)(
    'with a seal that is %s: what the proxy carries in each direction, keeps, logs and tells, in every spelling',
    async (seal) => {
      const [asked, answered] = [newCanary(), newCanary()]
      const lines: string[] = []
      const storage = temporaryFolder()
      await start({ deps: { logger: createLogger((line) => lines.push(line), 'debug') } }, storage)
      const event = `data: ${JSON.stringify({ choices: [{ delta: { content: answered } }] })}\n\ndata: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9}}\n\ndata: [DONE]\n\n`
      let heard = ''
      const backend: OpenAiBackend = {
        model,
        healthy: () => true,
        handle: async ({ body }) => {
          heard = Buffer.from(body).toString()
          const sent = (async function* () {
            yield Buffer.from(event)
          })()
          return { status: 200, reason: 'OK', headers: [['content-type', 'text/event-stream']], body: sent }
        },
      }
      await startWorker({ backend })
      const client = await startClient()
      const handle = client.runChat(request(asked, { seal }), never)
      expect(await textOf(handle)).toContain(answered)
      await handle.end
      expect(heard).toContain(asked)
      const [workers, clients] = seen.map(({ bytes }) => bytes())
      const ways = {
        'client to proxy': clients?.there,
        'proxy to worker': workers?.back,
        'worker to proxy': workers?.there,
        'proxy to client': clients?.back,
      }
      const found = Object.entries(ways).map(([way, bytes = Buffer.alloc(0)]) => {
        expect(bytes.length).toBeGreaterThan(500)
        return [way, spelledIn(bytes, asked).length > 0, spelledIn(bytes, answered).length > 0]
      })
      const isReadable = seal === 'none'
      expect(found).toEqual([
        ['client to proxy', isReadable, false],
        ['proxy to worker', isReadable, false],
        ['worker to proxy', false, isReadable],
        ['proxy to client', false, isReadable],
      ])
      // What it keeps and tells holds no word either way.
      const stats = proxy.stats({ walletNano: 0n, commissionNano: 0n, version: '1' })
      const told = JSON.stringify([proxy.status.value, stats], (_, value: unknown) =>
        typeof value === 'bigint' ? `${value}` : value,
      )
      expect(lines.length).toBeGreaterThan(0)
      for (const canary of [asked, answered]) {
        expect(spelledIn(Buffer.from(`${told}${lines.join()}`), canary)).toEqual([])
        const kept = canaryBelow(storage.path, canary)
        expect(kept.files).toBeGreaterThan(0)
        expect(kept.found).toEqual([])
      }
    },
  )

  it('it is not, where it was not wanted: then the proxy does see it', async () => {
    await start()
    await startWorker()
    const client = await startClient()
    const handle = client.runChat(request(secret, { seal: 'none' }), never)
    expect(await textOf(handle)).toContain('Hello')
    expect(handle.seal).toEqual({ scheme: 'none', reason: 'not-wanted' })
    expect(passedThrough().includes(secret)).toBe(true)
  })

  it('one document is sealed as well as a stream, and a long question too', async () => {
    await start()
    const { backend } = await startWorker()
    const client = await startClient()
    const handle = client.runChat(request(`${secret}${'x'.repeat(300_000)}`, { stream: false, maxTokens: 1000 }), never)
    expect(JSON.parse(await textOf(handle))).toMatchObject({ choices: [{ message: { content: 'Hello from fake AI' } }] })
    expect(backend.requests[0]?.body.length).toBeGreaterThan(300_000)
    expect(handle.seal).toMatchObject({ scheme: 'direct', answer: { state: 'whole' }, usage: { deviations: [] } })
    expect(passedThrough().includes('Hello')).toBe(false)
  })

  it.each<
    [string, Parameters<typeof start>[0], Partial<WorkerOptions>, Partial<ConstructorParameters<typeof Client>[0]>, string]
  >([
    ['the worker has no wallet that signs', {}, { sealing: undefined } as unknown as Partial<WorkerOptions>, {}, 'no-keys'],
    ['the proxy takes no part', { proxy: { sealedQueries: false } }, {}, {}, 'proxy-without'],
    ['the client has switched it off', {}, {}, { sealedQueries: false }, 'not-wanted'],
    ['the worker speaks version 0 only', {}, { versions: { least: 0, most: 0 } }, {}, 'no-keys'],
  ])(
    'where %s, nobody is sent anything sealed, and a seal that is required is refused',
    async (_name, change, worker, clientChange, reason) => {
      await start(change)
      await startWorker(worker)
      const client = await startClient(clientChange, false)
      const handle = client.runChat(request(secret), never)
      expect(await textOf(handle)).toContain('Hello')
      expect(handle.seal).toEqual({ scheme: 'none', reason })
      const before = passedThrough().toString('latin1').split(secret).length
      const demanded = async (): Promise<unknown> => client.runChat(request(secret, { seal: 'required' }), never).end
      await expect(demanded()).rejects.toMatchObject({ code: 'seal-unavailable', money: 'You paid nothing.' })
      expect(passedThrough().toString('latin1').split(secret).length).toBe(before)
      expect(passedThrough().includes('CDA1')).toBe(false)
    },
  )

  it('a seal to an attested worker is refused where none shows a quote', async () => {
    await start()
    await startWorker()
    const client = await startClient()
    const handle = client.runChat(request(secret, { seal: 'attested' }), never)
    await expect(handle.end).rejects.toMatchObject({ code: 'seal-unavailable' })
    expect(passedThrough().includes(secret)).toBe(false)
  })

  it('what is wrong with a question is told to its sender alone', async () => {
    await start()
    await startWorker()
    const client = await startClient()
    const unknown = request('hi', { body: `{"model":"${model}","messages":[],"n":2}` })
    // The engine's own refusal travels as an answer.
    const failing = client.runChat(request('FAIL500', { stream: false }), never)
    expect((await failing.head).status).toBe(500)
    expect(await textOf(failing)).toContain('boom')
    expect((await failing.end).cost).toBe(0n)
    expect(passedThrough().includes('boom')).toBe(false)
    const crashed = client.runChat(request('CRASH'), never)
    await expect(crashed.end).rejects.toMatchObject({ message: expect.stringContaining('The engine ended unexpectedly') })
    expect(crashed.seal).toMatchObject({ scheme: 'direct', answer: { state: 'refused' } })
    expect(passedThrough().includes('The engine ended')).toBe(false)
    expect(await textOf(client.runChat(unknown, never))).toContain('Hello')
  })

  it('a cancel ends it as it ends any other: with the usage so far, sealed to the end', async () => {
    await start()
    const { backend } = await startWorker()
    const client = await startClient()
    const stop = new AbortController()
    const handle = client.runChat(request('ENDLESS'), stop.signal)
    await handle.head
    for await (const _ of handle.body) stop.abort()
    expect(await handle.end).toMatchObject({ stopped: 'ended' })
    expect((await handle.end).cost).toBeGreaterThan(0n)
    expect(handle.seal).toMatchObject({ scheme: 'direct', answer: { state: 'whole' } })
    expect(backend.abortedAt).toHaveLength(1)
  })

  it('one that was stopped before it left costs nothing and is not sent', async () => {
    await start()
    const { backend } = await startWorker()
    const client = await startClient()
    const stop = new AbortController()
    const handle = client.runChat(request(secret), stop.signal)
    stop.abort()
    expect(await handle.end).toEqual({ stopped: 'ended', cost: 0n })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(backend.requests).toEqual([])
  })

  it('after a restart of the worker the question goes to its new key, without anybody noticing', async () => {
    await start()
    const { worker } = await startWorker()
    const client = await startClient()
    const first = client.runChat(request('one'), never)
    await textOf(first)
    await worker.stop()
    await startWorker()
    await startClient()
    const second = client.runChat(request('two'), never)
    expect(await textOf(second)).toContain('Hello')
    expect(second.seal).toMatchObject({ scheme: 'direct', answer: { state: 'whole' } })
    const keys = [first, second].map(({ seal }) => (seal.scheme === 'direct' ? seal.worker.keyId : ''))
    expect(new Set(keys).size).toBe(2)
  })

  it('a worker that asks more than the limit is named as too expensive before anything is sent', async () => {
    await start()
    await startWorker({ coefficient: 2000 })
    const client = await startClient()
    const handle = client.runChat(request(secret, { seal: 'required' }), never)
    await expect(handle.end).rejects.toMatchObject({ code: 'too-expensive' })
    expect(passedThrough().includes(secret)).toBe(false)
    expect(await textOf(client.runChat(request(secret, { maxCoefficient: 2000 }), never))).toContain('Hello')
  })

  it('a worker that pauses, or has left, is waited for: the question does not go out readable instead', async () => {
    await start()
    const { worker } = await startWorker()
    const client = await startClient()
    await textOf(client.runChat(request('one'), never))
    worker.pause()
    await expect.poll(() => proxy.status.value.models[0]?.enabledWorkers).toBe(0)
    await expect(client.runChat(request(secret), never).end).rejects.toMatchObject({ code: 'no-worker' })
    worker.resume()
    await worker.stop()
    await expect.poll(() => proxy.status.value.workers).toBe(0)
    await expect(client.runChat(request(secret), never).end).rejects.toMatchObject({
      code: expect.stringMatching(/no-worker|worker-gone/),
    })
    await expect(client.runChat(request(secret), never).end).rejects.toMatchObject({ code: 'no-worker' })
    expect(passedThrough().includes(secret)).toBe(false)
  })

  it('a worker that pauses is not asked while another is there, nor named as one that could read; who agreed to that is answered readable', async () => {
    await start()
    const { worker: paused, backend: ofPaused } = await startWorker()
    const { worker: other, backend } = await startWorker()
    const { backend: unsealed } = await startWorker({ sealing: undefined } as unknown as Partial<WorkerOptions>)
    // Until both keys are known: what a client was told once it believes for a while.
    await expect.poll(async () => (await (await startClient({}, false)).sealableWorkers(model)).length).toBe(2)
    paused.pause()
    await expect.poll(() => proxy.status.value.models[0]?.enabledWorkers).toBe(2)
    const asked = await startClient({}, false)
    expect(await asked.sealableWorkers(model)).toHaveLength(1)
    for (let left = 3; left > 0; left--) await textOf(asked.runChat(request(secret, { seal: 'required' }), never))
    expect([ofPaused.requests.length, backend.requests.length, unsealed.requests.length]).toEqual([0, 3, 0])
    other.pause()
    await expect.poll(() => proxy.status.value.models[0]?.enabledWorkers).toBe(1)
    const last = await startClient({}, false)
    expect(await last.sealableWorkers(model)).toEqual([])
    for (const seal of ['required', 'offered'] as const)
      await expect(last.runChat(request(secret, { seal }), never).end).rejects.toMatchObject({ code: 'no-worker' })
    expect(passedThrough().includes(secret)).toBe(false)
    expect(await textOf(last.runChat(request(secret, { seal: 'agreed' }), never))).toContain('Hello')
    expect([ofPaused.requests.length, backend.requests.length, unsealed.requests.length]).toEqual([0, 3, 1])
  })

  /** The role with its HTTP address, as the command starts it. */
  async function startRole(seal: ClientSeal) {
    const role = await startClientRole({
      network: { name: `seal-${seal}`, root, chain: undefined, close: async () => undefined },
      dataDir: folder,
      entries: {} as ChildEntries,
      roots: intelRoots,
      logger: silentLogger,
      signal: never,
      http: { host: '127.0.0.1', port: 0 },
      policy: 'any',
      proxies: 1,
      seal,
      dial: () => seen[1]?.dial() ?? Promise.reject(new Error('no port')),
    })
    closers.push(async () => void (await role.stop(0)))
    const url = role.facts.join().match(/http:\S+\/v1/)?.[0] ?? ''
    const ask = async (more: object = {}): Promise<{ status: number; text: string }> => {
      const body = JSON.stringify({
        model,
        stream: true,
        max_tokens: 100,
        messages: [{ role: 'user', content: secret }],
        ...more,
      })
      const response = await fetch(`${url}/chat/completions`, { method: 'POST', body })
      return { status: response.status, text: await response.text() }
    }
    // A client that has no proxy yet says so.
    await expect.poll(async () => (await fetch(`${url}/models`)).status).toBe(200)
    return { ask, facts: role.facts }
  }

  it.each<[ClientSeal, boolean, 'answered' | 'refused', 'readable' | 'hidden']>([
    ['offered', true, 'answered', 'hidden'],
    ['offered', false, 'answered', 'readable'],
    ['required', true, 'answered', 'hidden'],
    ['required', false, 'refused', 'hidden'],
    ['attested', true, 'refused', 'hidden'],
    ['off', true, 'answered', 'readable'],
  ])('a client with --seal %s, where a worker takes part: %s, is %s and its question %s', async (seal, sealing, end, sight) => {
    await start()
    const { backend } = await startWorker(sealing ? {} : ({ sealing: undefined } as unknown as Partial<WorkerOptions>))
    if (sealing) await (await startClient()).stop()
    const { ask, facts } = await startRole(seal)
    const { status, text } = await ask()
    expect([status === 200, text.includes('Hello')]).toEqual(end === 'answered' ? [true, true] : [false, false])
    if (end === 'refused') expect(text).toContain('No worker is known that the question could be sealed to')
    expect(backend.requests).toHaveLength(end === 'answered' ? 1 : 0)
    expect(passedThrough().includes(secret)).toBe(sight === 'readable')
    expect(facts.join()).toMatch(/seal/)
  })

  it('a conversation is named to the worker alone, and to none where the question leaves readable', async () => {
    await start()
    const { backend } = await startWorker()
    const client = await startClient()
    const scopes = () => backend.requests.splice(0).map(({ cacheScope }) => cacheScope)
    for (const conversation of ['a chat', 'a chat', 'b chat'])
      await textOf(client.runChat(request(secret, { conversation }), never))
    const [scope, again, other] = scopes()
    expect(scope).toMatch(/^conversation [0-9a-f]{64}$/)
    expect(again).toBe(scope)
    expect(other).not.toBe(scope)
    await textOf(client.runChat(request(secret, { conversation: 'a chat', seal: 'none' }), never))
    expect(scopes()).toEqual([undefined])
    expect(passedThrough().includes(secret)).toBe(true)
    for (const name of ['a chat', 'ache-scope', scope?.split(' ')[1] ?? '?'])
      expect([name, passedThrough().includes(name)]).toEqual([name, false])
  })

  it('a program of the command line’s client names one by its prompt_cache_key', async () => {
    await start()
    const { backend } = await startWorker()
    await (await startClient()).stop()
    const { ask } = await startRole('required')
    for (const key of ['my draft', 'my draft', 'my letter', undefined])
      expect(await ask({ prompt_cache_key: key })).toMatchObject({ status: 200 })
    const [scope, again, other, none] = backend.requests.map(({ cacheScope }) => cacheScope)
    expect(scope).toMatch(/^conversation [0-9a-f]{64}$/)
    expect([again, none]).toEqual([scope, undefined])
    expect(other).not.toBe(scope)
    // The name itself reaches nobody.
    for (const { body } of backend.requests) expect(Buffer.from(body).toString()).not.toMatch(/my (draft|letter)/)
  })

  it('workers whose keys are verified are told before a question', async () => {
    await start()
    await startWorker()
    const client = await startClient()
    expect(await client.sealableWorkers(model)).toMatchObject([{ owner: owner.toRawString(), model: modelName }])
    expect(await client.sealableWorkers('Other/Model')).toEqual([])
  })

  it('a worker does not start with the seal of another wallet', async () => {
    await start()
    await expect(startWorker({ owner: goldenWallet })).rejects.toThrow(RangeError)
  })
})
