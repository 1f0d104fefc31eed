import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import { clientMigrations } from '../../client/account-store.ts'
import { Client } from '../../client/client.ts'
import { ExternalBackend } from '../../inference/external-backend.ts'
import { type FormPart, readForm, textOf } from '../../protocol/requests/form.ts'
import { dialDirect } from '../../protocol/wire/dial.ts'
import type { CocoonProxy } from '../../proxy/proxy.ts'
import { goldenOwner, goldenRoot, goldenWallet, pseudoProxy, temporaryFolder } from '../../proxy/testing/fixtures.ts'
import { openDatabase } from '../../storage/database.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { workerMigrations } from '../../worker/balance-store.ts'
import { Worker } from '../../worker/worker.ts'
import { type ClientHttp, openClientHttp } from './client-http.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-audio-'))
const audio = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) % 256)

/** An engine that writes down how many bytes it heard, in the form that it was asked for. */
interface Heard {
  readonly path: string
  readonly parts: readonly FormPart[]
}
const heard: Heard[] = []
let engine: Server
let storage: ReturnType<typeof temporaryFolder>
let proxy: CocoonProxy
let backend: ExternalBackend
let worker: Worker
let client: Client
let http: ClientHttp
const closers: (() => Promise<unknown> | unknown)[] = []

/** Client, proxy and worker of ours over real sockets, before an engine over HTTP. */
beforeAll(async () => {
  engine = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.url === '/v1/models') return response.end('{"object":"list","data":[]}')
      const parts = readForm(request.headers['content-type'], new Uint8Array(Buffer.concat(chunks)))
      heard.push({ path: request.url ?? '', parts })
      const bytes = parts.find(({ name }) => name === 'file')?.bytes.length ?? 0
      const format = parts.find(({ name }) => name === 'response_format')
      if (format !== undefined && textOf(format) === 'srt') {
        response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' })
        return response.end(`1\n00:00:00,000 --> 00:00:02,000\n2 + 2 = {4}, ${bytes}\n`)
      }
      if (format !== undefined && textOf(format) === 'vtt') {
        response.writeHead(415, { 'Content-Type': 'application/json' })
        return response.end('{"error":{"message":"no subtitles here"}}')
      }
      const usage = { prompt_tokens: 40, completion_tokens: 6, total_tokens: 46 }
      if (parts.some((part) => part.name === 'stream' && textOf(part) === 'true')) {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' })
        response.write('data: {"type":"transcript.text.delta","delta":"Good day"}\n\n')
        return response.end(`data: {"type":"transcript.text.done","text":"Good day","usage":${JSON.stringify(usage)}}\n\n`)
      }
      response.writeHead(200, { 'Content-Type': 'application/json' })
      return response.end(JSON.stringify({ text: `heard ${bytes}`, usage }))
    })
  })
  await new Promise<void>((resolve) => engine.listen(0, '127.0.0.1', resolve))
  const { port } = engine.address() as AddressInfo
  storage = temporaryFolder()
  proxy = pseudoProxy(storage.path)
  await proxy.start()
  backend = new ExternalBackend({ baseUrl: `http://127.0.0.1:${port}`, model: 'test/whisper' })
  await backend.start()
  const root = new Signal<RootConfig | null>({
    ...goldenRoot(),
    proxies: [{ seqno: 1, forWorkers: { host: '127.0.0.1', port: 1 }, forClients: { host: '127.0.0.1', port: 2 } }],
  })
  const dial = async (to: number | null) => (await dialDirect({ host: '127.0.0.1', port: to ?? 0, plain: true })).connection
  const shared = { root, money: undefined, logger: silentLogger, reconnectMs: 20 }
  const databaseOf = (name: string, migrations: readonly string[]) => {
    const database = openDatabase(join(folder, name), migrations, { logger: silentLogger })
    closers.push(() => database.close())
    return database
  }
  worker = new Worker({
    ...{ ...shared, owner: goldenOwner, backend, modelName: 'test/whisper@c:h' },
    database: databaseOf('worker.db', workerMigrations),
    dial: () => dial(proxy.status.value.workerPort),
  })
  worker.start()
  client = new Client({
    ...{ ...shared, owner: goldenWallet, masterSecret: new Uint8Array(32).fill(1) },
    database: databaseOf('client.db', clientMigrations),
    dial: () => dial(proxy.status.value.clientPort),
  })
  client.start()
  await client.whenReady(AbortSignal.timeout(60_000))
  // Before any test, where nothing can be polled.
  const enabled = (): number => proxy.status.value.models.reduce((sum, one) => sum + one.enabledWorkers, 0)
  await vi.waitFor(() => expect(enabled()).toBe(1), { timeout: 60_000 })
  http = await openClientHttp({
    ...{ host: '127.0.0.1', port: 0, client, accessHash: 'secret', logger: silentLogger },
    stats: async () => ({}),
    topUpNano: () => undefined,
    hasChain: true,
    network: () => root.value?.address,
  })
})
beforeEach(() => void heard.splice(0))
afterAll(async () => {
  await http.close()
  await client.stop()
  await worker.stop()
  await proxy.stop()
  await backend.stop()
  for (const close of closers) await close()
  storage.remove()
  engine.closeAllConnections()
  engine.close()
  rmSync(folder, { recursive: true, force: true })
})

const form = (fields: Readonly<Record<string, string>>, file: Uint8Array | null = audio): FormData => {
  const data = new FormData()
  for (const [name, value] of Object.entries({ model: 'test/whisper', ...fields })) data.append(name, value)
  if (file !== null) data.append('file', new File([Buffer.from(file)], 'a.wav', { type: 'audio/wav' }))
  return data
}
const post = (body: string | FormData | URLSearchParams, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${http.port}/v1/audio/transcriptions`, { method: 'POST', body, headers })
const textFields = (): Record<string, string> =>
  Object.fromEntries(
    (heard[0]?.parts ?? []).filter(({ fileName }) => fileName === undefined).map((part) => [part.name, textOf(part)]),
  )

describe('a transcription through client, proxy and worker', () => {
  it('reaches the engine byte for byte, without what is meant for the client, and is charged', async () => {
    const before = proxy.account('client', goldenWallet)?.max ?? 0n
    const response = await post(
      form({ language: 'de', prompt: 'Grüße', timeout: '30', max_coefficient: '2000', max_tokens: '500' }),
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ text: 'heard 100000', usage: { prompt_tokens: 40 } })
    expect(heard[0]?.path).toBe('/v1/audio/transcriptions')
    expect(textFields()).toEqual({ model: 'test/whisper', language: 'de', prompt: 'Grüße', max_tokens: '500' })
    const file = heard[0]?.parts.find(({ name }) => name === 'file')
    expect([file?.fileName, file?.contentType]).toEqual(['a.wav', 'audio/wav'])
    expect(Buffer.compare(file?.bytes ?? new Uint8Array(0), audio)).toBe(0)
    await expect.poll(() => (proxy.account('client', goldenWallet)?.max ?? 0n) - before).toBe(46n)
  })

  it('comes as a stream where it was asked for', async () => {
    const response = await post(form({ stream: 'true' }))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toContain('"transcript.text.delta","delta":"Good day"')
  })

  it('that is subtitles is passed on as they are, numbers and braces too', async () => {
    const response = await post(form({ response_format: 'srt' }))
    expect(await response.text()).toBe('1\n00:00:00,000 --> 00:00:02,000\n2 + 2 = {4}, 100000\n')
  })

  it('that the engine refuses comes back with its words, and costs nothing', async () => {
    const before = proxy.account('client', goldenWallet)?.max
    const response = await post(form({ response_format: 'vtt' }))
    expect(response.status).toBe(415)
    expect(await response.text()).toContain('no subtitles here')
    expect(proxy.account('client', goldenWallet)?.max).toBe(before)
  })

  it('may be as large as a query', async () => {
    const response = await post(form({}, new Uint8Array(14 << 20).fill(7)))
    expect(await response.json()).toMatchObject({ text: `heard ${14 << 20}` })
  })

  it.each([
    [
      'JSON in its place',
      () => post('{"model":"test/whisper"}', { 'Content-Type': 'application/json' }),
      400,
      'expected multipart/form-data',
    ],
    ['no model', () => post(new URLSearchParams()), 400, 'expected multipart/form-data'],
    ['no file', () => post(form({}, null)), 400, "missing required field 'file'"],
    ['an unknown field', () => post(form({ tools: '[]' })), 400, "unknown option 'tools' in request"],
    ['a wrong limit', () => post(form({ max_tokens: 'many' })), 400, "field 'max_tokens' must be positive integer"],
    ['a wrong time', () => post(form({ timeout: '-1' })), 400, "field 'timeout' must be positive number"],
    ['more than a query carries', () => post(form({}, new Uint8Array(16 << 20))), 413, 'at most'],
    ['another model', () => post(form({ model: 'test/other' })), 400, 'unknown model test/other'],
  ])('is refused before an engine hears of it: %s', async (_name, attempt, status, words) => {
    const response = await attempt()
    expect(response.status).toBe(status)
    expect(await response.text()).toContain(words)
    expect(heard).toEqual([])
  })

  it('is refused when its body is cut, or has no boundary', async () => {
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x' }
    for (const body of ['--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ntest/whisper', '', 'no form at all']) {
      const response = await post(body, headers)
      expect(response.status).toBe(400)
    }
    expect((await post('--x--', { 'Content-Type': 'multipart/form-data' })).status).toBe(400)
    expect(heard).toEqual([])
  })
})
