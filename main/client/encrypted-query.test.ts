import { afterEach, describe, expect, it } from 'vitest'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { decodeHttpRequest, encodeHttpResponse } from '../protocol/http/http-message.ts'
import { type JsonObject, parseJson, writeJson } from '../protocol/requests/json-text.ts'
import { sealAnswer } from '../protocol/sealed/v1/answers.ts'
import { type KeyPairing, openObject, pairing, partiesOf } from '../protocol/sealed/v1/envelope.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import type { QueryHandle } from './running-query.ts'
import { becomeReady, clientPeer } from './testing/client-peer.ts'

const never = new AbortController().signal
const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const listed = (byte: number, hours = 24) => ({
  publicKey: Buffer.from(publicKeyOfSeed(seed(byte))).toString('hex'),
  type: 1,
  expiresAtSec: Math.floor(Date.now() / 1000) + hours * 3600,
})
const chat = {
  model: 'M',
  body: '{"model":"M","max_tokens":50,"messages":[{"role":"user","content":"a secret word"}],"stream":true}',
}

let dispose: (() => Promise<void>) | undefined
afterEach(async () => {
  await dispose?.()
  dispose = undefined
})

/** A client before a scripted proxy of version 3, in a network with these keys. */
async function ready(...keys: readonly ReturnType<typeof listed>[]) {
  const peer = await clientPeer({ cancelWaitMs: 200 })
  dispose = peer.dispose
  const nobody = { publicKey: '00'.repeat(32), imageHash: '00'.repeat(32), endpoints: null }
  peer.root.set({ ...scriptedNetwork.root, keyManager: { keys, ...nobody } })
  return { client: peer.client, connection: await becomeReady(peer, { params: { proto_version: 3 } }) }
}

/** The next question, opened as the worker does that was given this private key. */
async function opened(connection: ScriptedConnection, key: number) {
  const query = await connection.nextPacket('client.runQueryEx')
  const text = Buffer.from(decodeHttpRequest(query.query).body).toString()
  const body = parseJson(text) as JsonObject
  const { sender, receiver } = partiesOf(body)
  expect(Buffer.from(query.public_key ?? [])).toEqual(Buffer.from(receiver))
  const keys = pairing(seed(key), sender)
  return { query, text, keys, question: openObject(body, keys, 'c') }
}
const refuse = (connection: ScriptedConnection, request_id: Uint8Array): Promise<void> =>
  connection.send({ '@type': 'client.queryAnswerErrorEx', request_id, error_code: 602, error: 'unknown public key 00', flags: 0 })

const events = ['data: {"choices":[{"delta":{"content":"Good"}}]}\n\n', 'data: {"choices":[{"delta":{"content":" day"}}]}\n\n']
async function answer(
  connection: ScriptedConnection,
  id: Uint8Array,
  parts: readonly Uint8Array[],
  completionTokens = 2n,
): Promise<void> {
  const headers = [['content-type', 'text/event-stream']] as const
  await connection.send({
    '@type': 'client.queryAnswerEx',
    request_id: id,
    answer: encodeHttpResponse({ status: 200, reason: 'OK', headers }),
    flags: 0,
  })
  for (const part of parts) await connection.send({ '@type': 'client.queryAnswerPartEx', request_id: id, answer: part, flags: 0 })
  await connection.send({
    '@type': 'client.queryAnswerPartEx',
    request_id: id,
    answer: new Uint8Array(0),
    flags: 1,
    final_info: {
      '@type': 'client.queryFinalInfo',
      flags: 0,
      tokens_used: {
        '@type': 'tokensUsed',
        ...{
          prompt_tokens_used: 1n,
          cached_tokens_used: 0n,
          completion_tokens_used: completionTokens,
          reasoning_tokens_used: 0n,
        },
        total_tokens_used: completionTokens + 1n,
      },
    },
  })
}
const sealed = (keys: KeyPairing, ...texts: readonly string[]): Uint8Array[] => {
  const change = sealAnswer('text/event-stream', keys)
  return texts.map((text) => change.push(Buffer.from(text)))
}
const textOf = async ({ body }: QueryHandle): Promise<string> => {
  let text = ''
  for await (const bytes of body) text += Buffer.from(bytes).toString()
  return text
}

describe('a question encrypted for a key of the network', () => {
  it('shows no word on its way, and its answer is opened here', async () => {
    const { client, connection } = await ready(listed(1))
    const handle = client.runEncrypted(chat, never)
    const { query, text, keys, question } = await opened(connection, 1)
    expect(text).not.toMatch(/secret|user|content":"(?!ENC_)/)
    expect(writeJson(question)).toBe(
      '{"max_tokens":50,"messages":[{"content":"a secret word","role":"user"}],"model":"M","stream":true,"stream_options":{"include_usage":true}}',
    )
    await answer(connection, query.request_id, sealed(keys, ...events, 'data: [DONE]\n\n'))
    expect(await textOf(handle)).toBe(`${events.join('')}data: [DONE]\n\n`)
    expect(await handle.end).toMatchObject({ cost: 6n })
    expect(handle.seal).toEqual({
      ...{ scheme: 'v1', receiverKey: listed(1).publicKey },
      answer: { state: 'whole' },
      usage: expect.objectContaining({ statedTokens: '3', worker: null, deviations: [] }),
    })
  })

  it('shows a bill of more tokens than the opened text can have', async () => {
    const { client, connection } = await ready(listed(1))
    const handle = client.runEncrypted(chat, never)
    const { query, keys } = await opened(connection, 1)
    // Two words of text: 35 tokens are tolerated, each worth at most eight adjusted ones.
    await answer(connection, query.request_id, sealed(keys, ...events, 'data: [DONE]\n\n'), 281n)
    await handle.end
    expect(handle.seal).toMatchObject({
      usage: { statedTokens: '282', recount: { toleratedTokens: 35 }, deviations: ['completion-beyond-tolerance'] },
    })
  })

  it.each([
    ['forged', (keys: KeyPairing) => [...sealed(keys, events[0] ?? ''), Buffer.from(events[1] ?? '')]],
    ['cut off before its mark', (keys: KeyPairing) => sealed(keys, ...events)],
  ])('has an end that waits for the check of the last byte, though nobody reads the body: %s', async (_name, parts) => {
    const { client, connection } = await ready(listed(1))
    const handle = client.runEncrypted(chat, never)
    const { query, keys } = await opened(connection, 1)
    await answer(connection, query.request_id, parts(keys))
    await expect(handle.end).rejects.toMatchObject({ code: 'seal-broken' })
    await expect(textOf(handle)).rejects.toMatchObject({ code: 'seal-broken' })
  })

  it('that is stopped before it is answered ends as any other', async () => {
    const { client, connection } = await ready(listed(1))
    const stop = new AbortController()
    const handle = client.runEncrypted(chat, stop.signal)
    await connection.nextPacket('client.runQueryEx')
    stop.abort()
    expect(await handle.end).toEqual({ stopped: 'hidden' })
    expect(await textOf(handle)).toBe('')
    expect(handle.seal).toMatchObject({ answer: { state: 'unread' } })
  })

  it('is asked again under another key where the proxy does not know the first, with another key of its own', async () => {
    const { client, connection } = await ready(listed(1, 24), listed(2, 23), listed(3, 0.2))
    const handle = client.runEncrypted(chat, never)
    const first = await opened(connection, 1)
    await refuse(connection, first.query.request_id)
    const second = await opened(connection, 2)
    expect(Buffer.compare(first.keys.peer, second.keys.peer)).not.toBe(0)
    await answer(connection, second.query.request_id, sealed(second.keys, 'data: [DONE]\n\n'))
    expect(await textOf(handle)).toBe('data: [DONE]\n\n')
    expect(handle.seal).toMatchObject({ receiverKey: listed(2).publicKey })
  })

  it('fails by name when no key is known, after three at most', async () => {
    const { client, connection } = await ready(...[1, 2, 3, 4].map((byte) => listed(byte)))
    const handle = client.runEncrypted(chat, never)
    for (let tries = 0; tries < 3; tries++) {
      const { request_id } = await connection.nextPacket('client.runQueryEx')
      await refuse(connection, request_id)
    }
    await expect(handle.end).rejects.toMatchObject({ code: 'unknown-key', money: 'You paid nothing.' })
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('is not sent where the network lists no key that is good for it', async () => {
    const bad = { ...listed(1), publicKey: 'ff'.repeat(32) }
    const { client, connection } = await ready(listed(1, 0.1), { ...listed(2), type: 7 }, bad)
    expect(() => client.runEncrypted(chat, never)).toThrow(expect.objectContaining({ code: 'no-sealing-key' }))
    expect(() => client.runEncrypted({ ...chat, body: '{"model":"M","messages":[],"tools":[]}' }, never)).toThrow("'tools'")
    expect(await connection.isSilent(50)).toBe(true)
  })

  it.each([
    ['readable', () => Buffer.from(events[0] ?? '')],
    [
      'encrypted by somebody else',
      () => sealed(pairing(seed(9), publicKeyOfSeed(seed(8))), events[0] ?? '')[0] ?? Buffer.alloc(0),
    ],
  ])('takes no answer that is %s', async (_name, forged) => {
    const { client, connection } = await ready(listed(1))
    const handle = client.runEncrypted(chat, never)
    const { query, keys } = await opened(connection, 1)
    await answer(connection, query.request_id, [...sealed(keys, events[0] ?? ''), forged()])
    await expect(textOf(handle)).rejects.toMatchObject({ code: 'seal-broken' })
    expect(handle.seal.scheme === 'v1' && handle.seal.answer).toEqual({ state: 'broken', reason: 'altered' })
  })

  it('takes no value twice', async () => {
    const { client, connection } = await ready(listed(1))
    const handle = client.runEncrypted(chat, never)
    const { query, keys } = await opened(connection, 1)
    const [part = Buffer.alloc(0)] = sealed(keys, events[0] ?? '')
    await answer(connection, query.request_id, [part, part])
    await expect(textOf(handle)).rejects.toMatchObject({ code: 'seal-broken' })
  })
})
