import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeHttpRequest } from '../protocol/http/http-message.ts'
import { writeForm } from '../protocol/requests/form.ts'
import type { CocoonProxy } from './proxy.ts'
import type { ProxyConfig, ProxyDeps } from './proxy-config.ts'
import { pseudoProxy, recordedVersions, temporaryFolder } from './testing/fixtures.ts'
import type { RawPeer } from './testing/raw-peer.ts'
import { firstAnswer, lastPart, model, part, readyClient, readyWorker, runQuery, workerHello } from './testing/scripted.ts'

const publicKey = new Uint8Array(32).fill(1)
const privateKey = new Uint8Array(32).fill(2)
const noKey = new Uint8Array(32)

let folder: ReturnType<typeof temporaryFolder>
let proxy: CocoonProxy | undefined
const peers: RawPeer[] = []
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(async () => {
  for (const peer of peers.splice(0)) peer.end()
  await proxy?.stop()
  folder.remove()
})

async function start(config: Partial<ProxyConfig> = {}, deps: Partial<ProxyDeps> = {}): Promise<CocoonProxy> {
  proxy = pseudoProxy(folder.path, config, deps)
  await proxy.start()
  return proxy
}
const kept = <P extends RawPeer>(peer: P): P => {
  peers.push(peer)
  return peer
}
const clientOf = async (version: number) => kept(await readyClient(proxy ?? (await start()), { version }))
const workerOf = async (version: number, script: Parameters<typeof readyWorker>[1] = {}) =>
  kept(await readyWorker(proxy ?? (await start()), { version, ...script }))
const knowsKey = { privateKeyOf: (key: Uint8Array) => (Buffer.from(key).equals(publicKey) ? privateKey : undefined) }

describe('keys of encrypted queries', () => {
  it.each([3, 4])('the private key goes to a worker of version %s', async (version) => {
    await start({}, knowsKey)
    const [client, worker] = [await clientOf(version), await workerOf(version)]
    client.send(runQuery({ flags: 3, public_key: publicKey }))
    const forwarded = await worker.expect('proxy.runQueryEx')
    expect([forwarded.flags, forwarded.private_key]).toEqual([3, privateKey])
    worker.send(firstAnswer(forwarded.request_id))
    worker.send(lastPart(forwarded.request_id, 3))
    expect(await client.expect('client.queryAnswerPartEx')).toMatchObject({ flags: 1 })
  })

  it('a query that is not encrypted has zeros in its place, and no place below version 3', async () => {
    await start({}, knowsKey)
    const client = await clientOf(4)
    for (const [version, expected] of [
      [0, undefined],
      [1, 1],
      [2, 1],
      [3, 3],
      [4, 3],
    ] as const) {
      const worker = await workerOf(version)
      client.send(runQuery({ flags: 3, public_key: noKey }))
      if (expected === undefined) await worker.expect('proxy.runQuery')
      else {
        const query = await worker.expect('proxy.runQueryEx')
        expect([query.flags, query.private_key]).toEqual([expected, expected === 3 ? noKey : undefined])
      }
      worker.end()
      await client.expect('client.queryAnswerErrorEx')
    }
  })

  it('an encrypted query passes over workers that have no place for the key, however free and cheap they are', async () => {
    await start({}, knowsKey)
    const client = await clientOf(3)
    const old = await workerOf(2, { coefficient: 1 })
    client.send(runQuery({ flags: 3, public_key: publicKey }))
    expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({
      error_code: 651,
      error: `no workers for model ${model}`,
    })
    const newer = await workerOf(3, { coefficient: 3000 })
    client.send(runQuery({ flags: 3, public_key: publicKey }))
    await newer.expect('proxy.runQueryEx')
    client.send(runQuery({ flags: 3, public_key: noKey }))
    await old.expect('proxy.runQueryEx')
  })

  it('of a key that nobody knows the client is told, and no worker', async () => {
    await start({}, knowsKey)
    const [client, worker] = [await clientOf(4), await workerOf(4)]
    const unknown = new Uint8Array(32).fill(9)
    client.send(runQuery({ flags: 3, public_key: unknown }))
    const error = await client.expect('client.queryAnswerErrorEx')
    expect(error).toMatchObject({ error_code: 602, error: `unknown public key ${'09'.repeat(32)}` })
    expect(JSON.stringify(proxy?.stats({ walletNano: 0n, commissionNano: 0n, version: '' }))).not.toContain('0202')
    expect(await worker.silent(50)).toBe(true)
  })

  it('a proxy without keys knows none', async () => {
    await start()
    const client = await clientOf(4)
    await workerOf(4)
    client.send(runQuery({ flags: 3, public_key: publicKey }))
    expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 602 })
  })
})

describe("the proxy's own errors", () => {
  it.each([1, 2, 3, 4])('come with final info to version %s', async (version) => {
    await start()
    const [client, worker] = [await clientOf(version), await workerOf(2)]
    client.send(runQuery({ model_name: 'unknown', flags: 1, enable_debug: true }))
    const refused = await client.expect('client.queryAnswerErrorEx')
    expect(refused).toMatchObject({ error_code: 621, flags: 1, final_info: { tokens_used: { total_tokens_used: 0n } } })
    expect(JSON.parse(refused.final_info?.proxy_debug ?? '')).toMatchObject({ type: 'proxy_stats' })
    const timed = refused.final_info
    if (version === 1) expect(timed).not.toHaveProperty('proxy_start_time')
    else expect(timed?.proxy_end_time).toBeGreaterThan(1_700_000_000)
    client.send(runQuery())
    const { request_id } = await worker.expect('proxy.runQueryEx')
    worker.send(firstAnswer(request_id))
    await client.expect('client.queryAnswerEx')
    worker.end()
    expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651, flags: 1 })
  })

  it('keep the old shape for version 0, and for everybody where the proxy is told to speak as the recorded ones', async () => {
    await start()
    const oldest = await clientOf(0)
    oldest.send(runQuery({ model_name: 'unknown' }))
    await oldest.expect('client.queryAnswerError')
    await proxy?.stop()
    await start({ versions: recordedVersions })
    const client = await clientOf(4)
    client.send(runQuery({ model_name: 'unknown' }))
    await client.expect('client.queryAnswerError')
    const worker = await workerOf(2)
    client.send(runQuery())
    worker.send(part((await worker.expect('proxy.runQueryEx')).request_id, 'out of order'))
    await client.expect('client.queryAnswerError')
  })
})

it.each([
  ['the request is wrong, says nothing bad about it', 'backend HTTP status 400', 'cheap'],
  ['the engine is wrong, makes others come first', 'backend HTTP status 500', 'dear'],
] as const)('an error that ends the answers of a newer worker because %s', async (_name, error, next) => {
  await start()
  const owner = 'UQBT4hy4vMEZ9uxSCuhw_gBKh9_AwmHXLe7Wo0O4Vh-4kUUM'
  const workers = { cheap: await workerOf(3, { coefficient: 500 }), dear: await workerOf(3, { coefficient: 900, owner }) }
  const client = await clientOf(4)
  for (let round = 0; round < 3; round++) {
    client.send(runQuery())
    const { request_id } = await workers.cheap.expect('proxy.runQueryEx')
    workers.cheap.send(firstAnswer(request_id))
    workers.cheap.send({ '@type': 'proxy.queryAnswerErrorEx', request_id, error_code: 651, error, flags: 0 })
    expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651, error })
  }
  client.send(runQuery())
  await workers[next].expect('proxy.runQueryEx')
})

describe('queries that are forms', () => {
  const formQuery = (fields: Readonly<Record<string, string>>, bytes?: Uint8Array): Uint8Array => {
    const parts = Object.entries(fields).map(([name, value]) => ({ name, bytes: Buffer.from(value) }))
    const form = writeForm([...parts, { name: 'file', fileName: 'a', bytes: new Uint8Array(10) }])
    return encodeHttpRequest({
      method: 'POST',
      path: '/v1/audio/transcriptions',
      headers: [['Content-Type', form.contentType]],
      body: bytes ?? form.bytes,
    })
  }

  it.each([
    [{ max_tokens: '1001' }, false],
    [{ max_tokens: '1000' }, true],
    [{ max_tokens: '5000', max_completion_tokens: '10' }, true],
    [{ max_completion_tokens: '5000' }, false],
    [{ max_tokens: 'many' }, true],
    [{}, true],
  ])('%j are held to the limit of the query as JSON is', async (fields, passes) => {
    await start()
    const [client, worker] = [await clientOf(4), await workerOf(2)]
    client.send(runQuery({ query: formQuery(fields) }))
    if (passes) return void (await worker.expect('proxy.runQueryEx'))
    const refused = await client.expect('client.queryAnswerErrorEx')
    expect(refused).toMatchObject({ error_code: 602, error: expect.stringContaining('allows more tokens') })
  })

  it('are passed on unchanged, malformed ones too: their worker refuses them', async () => {
    await start()
    const [client, worker] = [await clientOf(4), await workerOf(2)]
    const query = formQuery({}, Buffer.from('--wrong'))
    client.send(runQuery({ query }))
    expect(Buffer.compare((await worker.expect('proxy.runQueryEx')).query, query)).toBe(0)
  })
})

it('a worker describes its machine, cut to what a status can show', async () => {
  await start()
  const hello = workerHello({ version: 4 })
  const text = JSON.stringify({ gpu: 'x'.repeat(10_000) })
  const params = { ...hello.params, flags: 7, machine_description_json: text }
  await workerOf(4, { params })
  const stats = proxy?.stats({ walletNano: 0n, commissionNano: 0n, version: '' })
  expect(stats).toMatchObject({ worker_connections: [{ proto_version: 4, machine_description_json: text.slice(0, 4_096) }] })
})

it.each([
  { least: 2, most: 1 },
  { least: 0, most: 5 },
])('a proxy does not start with the versions %j', (versions) => {
  expect(() => pseudoProxy(folder.path, { versions })).toThrow(RangeError)
})
