import { afterEach, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { encodeHttpRequest } from '../protocol/http/http-message.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import { decode, encode } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { completeHandshake, workerPeer } from './testing/worker-peer.ts'

type Peer = Awaited<ReturnType<typeof workerPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

async function ready(options: Parameters<typeof workerPeer>[0] = {}, proto_version = 2) {
  peer = await workerPeer(options)
  peer.worker.start()
  const connection = await peer.proxy.accept()
  await completeHandshake(connection, { params: { proto_version } })
  await expect.poll(() => peer?.worker.state.value.connections[0]?.phase).toBe('ready')
  return { ...peer, connection }
}

function question(body: object, key?: Uint8Array): TlObject<'proxy.runQueryEx'> {
  return {
    '@type': 'proxy.runQueryEx',
    query: encodeHttpRequest({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: [],
      body: Buffer.from(JSON.stringify({ model: 'Qwen/Qwen3-8B', messages: [{ role: 'user', content: 'hi' }], ...body })),
    }),
    signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
    coefficient: 1000n,
    timeout: 10,
    request_id: new Uint8Array(32).fill(5),
    enable_debug: true,
    ...(key === undefined ? { flags: 1 } : { flags: 3, private_key: key }),
  }
}
const errorOf = (connection: ScriptedConnection) => connection.nextPacket('proxy.queryAnswerErrorEx')
const all = { least: 1, most: 4 }

describe('the worker and protocol versions', () => {
  it.each([
    [undefined, [1, 4]],
    [all, [1, 4]],
    [{ least: 0, most: 1 }, [0, 1]],
  ])('offers %j as %j', async (versions, offered) => {
    peer = await workerPeer(versions === undefined ? {} : { versions })
    peer.worker.start()
    const { question: hello } = await (await peer.proxy.accept()).nextQuery('worker.connectToProxy')
    expect([hello.params.min_proto_version, hello.params.max_proto_version]).toEqual(offered)
  })

  it('does not start with a range that nobody knows', async () => {
    await expect(workerPeer({ versions: { least: 1, most: 5 } })).rejects.toThrow(RangeError)
  })

  it.each([
    [all, undefined],
    [{ least: 4, most: 4 }, '{"gpu":"x"}'],
  ])('that offers %j describes its machine as %j', async (versions, told) => {
    peer = await workerPeer({ versions, machineDescription: '{"gpu":"x"}' })
    peer.worker.start()
    const { question: hello } = await (await peer.proxy.accept()).nextQuery('worker.connectToProxy')
    expect(hello.params.machine_description_json).toBe(told)
  })

  it.each([0, 1, 2, 3, 4])('answers in version %s', async (version) => {
    const { connection } = await ready({ versions: all }, version)
    const { request_id, query, signed_payment, coefficient, timeout } = question({})
    const plain: TlObject = { '@type': 'proxy.runQuery', request_id, query, signed_payment, coefficient, timeout }
    await connection.send(version === 0 ? plain : question({}, version >= 3 ? new Uint8Array(32) : undefined))
    if (version === 0) {
      await connection.nextPacket('proxy.queryAnswer')
      return expect(await connection.nextPacket('proxy.queryAnswerPart')).toMatchObject({ is_completed: true })
    }
    await connection.nextPacket('proxy.queryAnswerEx')
    const last = await connection.nextPacket('proxy.queryAnswerPartEx')
    expect(last.final_info?.flags).toBe(version >= 2 ? 3 : 1)
    const debug = JSON.parse(last.final_info?.worker_debug ?? '') as Record<string, number>
    expect(debug.answer_receive_start_at).toBeGreaterThanOrEqual(debug.start_time ?? Number.NaN)
    expect(debug.answer_receive_end_at).toBeGreaterThanOrEqual(debug.answer_receive_start_at ?? Number.NaN)
  })

  it('an encrypted request that does not open never reaches the engine', async () => {
    const { connection, backend } = await ready({ versions: all }, 3)
    await connection.send(question({ is_encrypted: 'v1' }, new Uint8Array(32).fill(1)))
    const error = await errorOf(connection)
    expect(error).toMatchObject({
      error_code: 621,
      error: 'worker: invalid http request: the nonce of the envelope is none',
    })
    expect(backend.requests).toEqual([])
  })

  it('opens nothing under a key that is not of the network', async () => {
    const asked: Uint8Array[] = []
    const knowsPrivateKey = async (key: Uint8Array): Promise<boolean> => {
      asked.push(key)
      return key[0] === 1
    }
    const { connection, backend } = await ready({ versions: all, knowsPrivateKey }, 3)
    await connection.send(question({ is_encrypted: 'v1' }, new Uint8Array(32).fill(2)))
    expect(await errorOf(connection)).toMatchObject({ error_code: 602, error: 'worker: unknown private key' })
    // A question that is not encrypted has none.
    await connection.send({ ...question({}, new Uint8Array(32)), request_id: new Uint8Array(32).fill(6) })
    await connection.nextPacket('proxy.queryAnswerEx')
    expect(asked).toEqual([new Uint8Array(32).fill(2)])
    expect(backend.requests).toHaveLength(1)
  })

  it('judges by the newer rules from version 3 on, and takes what either takes below', async () => {
    const body = { messages: [{ role: 'robot', content: 'hi' }], seed: 5 }
    const { connection } = await ready({ versions: all }, 3)
    await connection.send(question(body, new Uint8Array(32)))
    expect(await errorOf(connection)).toMatchObject({ error_code: 621, error: expect.stringContaining("unknown role 'robot'") })
    await peer?.dispose()
    const { connection: older, backend } = await ready({ versions: all }, 2)
    await older.send(question(body))
    await older.nextPacket('proxy.queryAnswerEx')
    expect(JSON.parse(Buffer.from(backend.requests[0]?.body ?? []).toString())).toMatchObject({ seed: 5 })
  })
})

describe('a transcription of a strange client', () => {
  const boundary = 'multipart/form-data; boundary=x'
  const good = '--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nQwen/Qwen3-8B\r\n'
  it.each([
    ['no form', 'application/json', '{}', 'expected multipart/form-data'],
    ['no type', undefined, `${good}--x--`, 'expected multipart/form-data'],
    ['no boundary', 'multipart/form-data', `${good}--x--`, 'expected one boundary'],
    ['a cut form', boundary, good, 'malformed multipart/form-data'],
    ['no file', boundary, `${good}--x--`, "missing required field 'file'"],
    ['another model', boundary, `${good.replace('Qwen3-8B', 'Other')}${file('a.wav')}--x--`, 'model name mismatch'],
    ['an unknown field', boundary, `${good}${file('a.wav').replace('"file"', '"tools"')}--x--`, "unknown option 'tools'"],
  ])('with %s is refused, and never reaches the engine', async (_name, type, body, words) => {
    const { connection, backend } = await ready()
    const query = encodeHttpRequest({
      method: 'POST',
      path: '/v1/audio/transcriptions',
      headers: type === undefined ? [] : [['Content-Type', type]],
      body: Buffer.from(body),
    })
    await connection.send({ ...question({}), query })
    expect(await errorOf(connection)).toMatchObject({
      error_code: 621,
      error: expect.stringContaining(`worker: invalid http request: ${words}`),
    })
    expect(backend.requests).toEqual([])
  })

  function file(name: string): string {
    return `--x\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\nabc\r\n`
  }
})

describe('a wish for another model', () => {
  const wish = (connection: ScriptedConnection, model: string) =>
    connection.connection.query(encode({ '@type': 'worker.changeModel', new_model: model }), { timeoutMs: 60_000 })

  it('is refused in words where nothing is configured', async () => {
    const { connection, worker } = await ready()
    await expect(wish(connection, 'Other/Model')).rejects.toMatchObject({
      peerCode: 602,
      message: expect.stringContaining('not configured'),
    })
    await expect(
      connection.connection.query(encode({ '@type': 'client.getWorkerTypes' }), { timeoutMs: 60_000 }),
    ).rejects.toMatchObject({
      peerCode: 0,
    })
    expect(worker.state.value.connections[0]?.phase).toBe('ready')
  })

  it('runs what is configured, and tells how that ended', async () => {
    const wanted: string[] = []
    const changeModel = async (model: string): Promise<void> => {
      wanted.push(model)
      if (model === 'bad') throw new Failure('change-failed', 'There is no such model.')
      if (model === 'worse') throw new Error('/secret/path is missing')
    }
    const { connection } = await ready({ changeModel })
    const done = decode(await wish(connection, 'Other/Model@abc:def'), 'worker.changedModel')
    expect(done).toEqual({ '@type': 'worker.changedModel' })
    await expect(wish(connection, 'bad')).rejects.toMatchObject({
      peerCode: 601,
      message: expect.stringContaining('no such model'),
    })
    const hidden = await wish(connection, 'worse').catch((thrown: unknown) => thrown)
    expect(hidden).toMatchObject({ peerCode: 601 })
    expect(String(hidden)).not.toContain('secret')
    for (const name of ['', '--help', 'a b', 'x;rm', '$(x)', 'a'.repeat(600)])
      await expect(wish(connection, name)).rejects.toMatchObject({ peerCode: 621 })
    expect(wanted).toEqual(['Other/Model@abc:def', 'bad', 'worse'])
  })
})
