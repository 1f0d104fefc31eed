import { afterEach, describe, expect, it } from 'vitest'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { encodeHttpRequest } from '../protocol/http/http-message.ts'
import { type JsonObject, parseJson, writeJson } from '../protocol/requests/json-text.ts'
import { openAnswer } from '../protocol/sealed/v1/answers.ts'
import { pairing, sealObject } from '../protocol/sealed/v1/envelope.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import { completeHandshake, workerPeer } from './testing/worker-peer.ts'

type Peer = Awaited<ReturnType<typeof workerPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const networkSeed = new Uint8Array(32).fill(21)
const keys = pairing(new Uint8Array(32).fill(22), publicKeyOfSeed(networkSeed))
const plain = (more: object = {}): JsonObject =>
  parseJson(
    JSON.stringify({ model: 'Qwen/Qwen3-8B', messages: [{ role: 'user', content: 'a secret word' }], max_tokens: 50, ...more }),
  ) as JsonObject

async function ready() {
  peer = await workerPeer()
  peer.worker.start()
  const connection = await peer.proxy.accept()
  await completeHandshake(connection, { params: { proto_version: 3 } })
  await expect.poll(() => peer?.worker.state.value.connections[0]?.phase).toBe('ready')
  return { ...peer, connection }
}
const ask = (
  connection: ScriptedConnection,
  body: string,
  private_key: Uint8Array = networkSeed,
  type = 'application/json',
): Promise<void> =>
  connection.send({
    '@type': 'proxy.runQueryEx',
    query: encodeHttpRequest({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: [['Content-Type', type]],
      body: Buffer.from(body),
    }),
    signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
    coefficient: 1000n,
    timeout: 10,
    request_id: new Uint8Array(32).fill(5),
    flags: 3,
    enable_debug: false,
    private_key,
  })
/** The answer as it travelled, and the usage at its end. */
async function answerOf(connection: ScriptedConnection) {
  await connection.nextPacket('proxy.queryAnswerEx')
  const parts: Uint8Array[] = []
  for (;;) {
    const { answer, final_info } = await connection.nextPacket('proxy.queryAnswerPartEx')
    parts.push(answer)
    if (final_info !== undefined) return { bytes: Buffer.concat(parts), used: final_info.tokens_used }
  }
}

describe('a question in upstream’s envelope', () => {
  it.each([
    ['a stream', true, 'text/event-stream'],
    ['a document', false, 'application/json'],
  ])('is opened with the key that came with it, and answered with %s for its sender alone', async (_name, stream, type) => {
    const { connection, backend } = await ready()
    const sealed = writeJson(sealObject(plain({ stream }), keys, 'c'))
    expect(sealed).not.toContain('secret')
    await ask(connection, sealed)
    const { bytes, used } = await answerOf(connection)
    expect(Buffer.from(backend.requests[0]?.body ?? []).toString()).toContain('a secret word')
    expect(bytes.toString()).not.toMatch(/Hello|fake AI|assistant/)
    // Counts stay readable: the proxy accounts by them.
    expect(bytes.toString()).toContain('"completion_tokens":5')
    expect(used.total_tokens_used).toBeGreaterThan(0n)
    const change = openAnswer(type, keys)
    const text = Buffer.concat([change.push(bytes), change.finish()]).toString()
    expect(text).toMatch(stream ? /"content":"Hello".*\[DONE\]/s : /Hello from fake AI/)
  })

  it.each<[string, () => string, Uint8Array?, string?]>([
    ['a body that is not encrypted', () => writeJson(plain())],
    ['a body for another key', () => writeJson(sealObject(plain(), keys, 'c')), new Uint8Array(32).fill(9)],
    ['a body that was altered', () => writeJson(sealObject(plain(), keys, 'c')).replace(/ENC_../, 'ENC_00')],
    ['a body that is an answer', () => writeJson(sealObject(plain(), keys, 'w'))],
    ['a body that is no JSON', () => '{"is_encrypted":"v1"'],
    ['a body that is an array', () => '[]'],
    ['a form', () => writeJson(sealObject(plain(), keys, 'c')), networkSeed, 'multipart/form-data; boundary=x'],
  ])('%s never reaches the engine', async (_name, body, key, type) => {
    const { connection, backend } = await ready()
    await ask(connection, body(), key, type)
    const { error_code, error } = await connection.nextPacket('proxy.queryAnswerErrorEx')
    expect([error_code, error]).toEqual([621, expect.stringMatching(/^worker: invalid http request: /)])
    expect(error).not.toContain('secret')
    expect(backend.requests).toEqual([])
  })

  it('the fields of an envelope without a key are refused', async () => {
    const { connection, backend } = await ready()
    await ask(connection, writeJson(sealObject(plain(), keys, 'c')), new Uint8Array(32))
    expect(await connection.nextPacket('proxy.queryAnswerErrorEx')).toMatchObject({ error_code: 621 })
    expect(backend.requests).toEqual([])
  })

  it('what it holds is judged as any other question, and a refusal names nothing of it', async () => {
    const { connection, backend } = await ready()
    await ask(connection, writeJson(sealObject(plain({ messages: [{ role: 'robot', content: 'x' }] }), keys, 'c')))
    expect(await connection.nextPacket('proxy.queryAnswerErrorEx')).toMatchObject({
      error_code: 621,
      error: 'worker: invalid http request',
    })
    expect(backend.requests).toEqual([])
  })
})
