import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { clientMigrations } from '../client/account-store.ts'
import { Client } from '../client/client.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import type { CocoonProxy } from '../proxy/proxy.ts'
import { goldenOwner, goldenRoot, goldenWallet, pseudoProxy, temporaryFolder } from '../proxy/testing/fixtures.ts'
import { readyClient } from '../proxy/testing/scripted.ts'
import { openDatabase } from '../storage/database.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import { ScriptedBackend } from '../worker/testing/scripted-backend.ts'
import { modelName } from '../worker/testing/worker-peer.ts'
import { Worker } from '../worker/worker.ts'

const versions = [0, 1, 2, 3, 4] as const
const folder = mkdtempSync(join(tmpdir(), 'cocoon-versions-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let databases = 0
const databaseOf = (migrations: readonly string[]) =>
  openDatabase(join(folder, `${databases++}.sqlite`), migrations, { logger: silentLogger })

const never = new AbortController().signal
const chat = { model: 'Qwen/Qwen3-8B', body: '{"model":"Qwen/Qwen3-8B","messages":[{"role":"user","content":"hi"}]}' }
const textOf = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
  let text = ''
  for await (const bytes of body) text += Buffer.from(bytes).toString()
  return text
}

/** Real programs of ours over real sockets: whatever range each has, they find the newest version that both know, and a question is answered. */
describe.each(versions)('a proxy that speaks up to version %s', (most) => {
  let proxy: CocoonProxy
  let storage: ReturnType<typeof temporaryFolder>
  const closers: (() => Promise<void>)[] = []

  beforeAll(async () => {
    storage = temporaryFolder()
    proxy = pseudoProxy(storage.path, { versions: { least: 0, most } })
    await proxy.start()
  })
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
    // The proxy learns a moment later that they have left.
    await expect.poll(() => proxy.status.value.workers).toBe(0)
  })
  afterAll(async () => {
    await proxy.stop()
    storage.remove()
  })

  const dial = async (port: number | null) => (await dialDirect({ host: '127.0.0.1', port: port ?? 0, plain: true })).connection
  const root = new Signal<RootConfig | null>({
    ...goldenRoot(),
    proxies: [{ seqno: 1, forWorkers: { host: '127.0.0.1', port: 1 }, forClients: { host: '127.0.0.1', port: 2 } }],
  })
  const shared = { root, money: undefined, logger: silentLogger, reconnectMs: 20, handshakeTimeoutMs: 15_000 }

  function startWorker(range: VersionRange): Worker {
    const database = databaseOf(workerMigrations)
    const worker = new Worker({
      ...{ ...shared, owner: goldenOwner, backend: new ScriptedBackend(), modelName, database, versions: range },
      dial: () => dial(proxy.status.value.workerPort),
    })
    worker.start()
    closers.push(async () => {
      await worker.stop()
      database.close()
    })
    return worker
  }
  function startClient(range: VersionRange): Client {
    const database = databaseOf(clientMigrations)
    const client = new Client({
      ...{ ...shared, owner: goldenWallet, masterSecret: new Uint8Array(32).fill(1), database, versions: range },
      dial: () => dial(proxy.status.value.clientPort),
    })
    client.start()
    closers.push(async () => {
      await client.stop()
      database.close()
    })
    return client
  }
  const workerConnections = (): unknown => proxy.stats({ walletNano: 0n, commissionNano: 0n, version: '' })?.worker_connections
  const enabledWorkers = (): number => proxy.status.value.models.reduce((sum, one) => sum + one.enabledWorkers, 0)

  it.each(versions)('serves with a worker of up to version %s', async (newest) => {
    startWorker({ least: 0, most: newest })
    await expect.poll(enabledWorkers).toBe(1)
    expect(workerConnections()).toMatchObject([{ proto_version: Math.min(most, newest) }])
    if (most === 0) {
      // Our client does not speak version 0; one that does asks.
      const peer = await readyClient(proxy, { version: 0 })
      return peer.end()
    }
    const client = startClient({ least: 1, most: 4 })
    await client.whenReady(AbortSignal.timeout(60_000))
    const handle = client.runChat(chat, never)
    expect(await textOf(handle.body)).toContain('Hello from fake AI')
    expect((await handle.end).tokens?.total).toBeGreaterThan(0n)
  })

  it.each(versions.slice(1))('serves a client of up to version %s, or is left', async (newest) => {
    startWorker({ least: 0, most: 4 })
    await expect.poll(enabledWorkers).toBe(1)
    const client = startClient({ least: 1, most: newest })
    if (most === 0) {
      await expect.poll(() => client.state.value.connections[0]?.failure).toMatch(/common protocol version/)
      return
    }
    await client.whenReady(AbortSignal.timeout(60_000))
    const handle = client.runChat({ ...chat, debug: true }, never)
    expect(await textOf(handle.body)).toContain('Hello from fake AI')
    const end = await handle.end
    // Times of the hops came with version 2.
    expect(end.times === undefined).toBe(Math.min(most, newest) < 2)
    expect(handle.debug?.proxy).toContain('proxy_stats')
    await expect(
      client.runChat({ ...chat, model: 'M', body: chat.body.replace('Qwen/Qwen3-8B', 'M') }, never).end,
    ).rejects.toMatchObject({
      code: 'unknown-model',
    })
  })

  it('cannot serve who speaks newer versions only', async () => {
    if (most === 4) return
    const client = startClient({ least: most + 1, most: 4 })
    await expect.poll(() => client.state.value.connections[0]?.failure).toMatch(/common protocol version/)
  })
})
