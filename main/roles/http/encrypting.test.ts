import { afterEach, expect, it } from 'vitest'
import { publicKeyOfSeed } from '../../../contracts/signed.ts'
import { decodeHttpRequest, encodeHttpResponse } from '../../protocol/http/http-message.ts'
import { type JsonObject, parseJson } from '../../protocol/requests/json-text.ts'
import { sealAnswer } from '../../protocol/sealed/v1/answers.ts'
import { openObject, pairing, partiesOf } from '../../protocol/sealed/v1/envelope.ts'
import { scriptedNetwork } from '../../protocol/testing/scripted-network.ts'
import { clientAddress } from '../testing/client-address.ts'

const privateKey = new Uint8Array(32).fill(3)
const chat = { model: 'M', messages: [{ role: 'user', content: 'a secret word' }], max_tokens: 9 }
let close: (() => Promise<void>) | undefined
afterEach(async () => {
  await close?.()
  close = undefined
})

async function start(hours: number) {
  const key = Buffer.from(publicKeyOfSeed(privateKey)).toString('hex')
  const keys = [{ publicKey: key, type: 1, expiresAtSec: Math.floor(Date.now() / 1000) + hours * 3600 }]
  const keyManager = { keys, publicKey: '00'.repeat(32), imageHash: '00'.repeat(32), endpoints: null }
  const address = await clientAddress({ protoVersion: 3, encrypts: true, root: { ...scriptedNetwork.root, keyManager } })
  close = address.close
  return address
}

it('a client that encrypts shows the network no word of its programs, and its programs nothing of that', async () => {
  const { post, connection } = await start(24)
  const answered = post(chat)
  const query = await connection.nextPacket('client.runQueryEx')
  const text = Buffer.from(decodeHttpRequest(query.query).body).toString()
  expect(text).not.toContain('secret')
  const body = parseJson(text) as JsonObject
  const keys = pairing(privateKey, partiesOf(body).sender)
  expect(openObject(body, keys, 'c').get('max_tokens')).toMatchObject({ text: '9' })
  const change = sealAnswer('application/json', keys)
  const sealed = change.push(Buffer.from('{"choices":[{"message":{"content":"well kept"}}]}'))
  const usage = { prompt_tokens_used: 1n, cached_tokens_used: 0n, completion_tokens_used: 1n, reasoning_tokens_used: 0n }
  await connection.send({
    '@type': 'client.queryAnswerEx',
    request_id: query.request_id,
    answer: encodeHttpResponse({ status: 200, reason: 'OK', headers: [['content-type', 'application/json']] }, sealed),
    flags: 1,
    final_info: {
      '@type': 'client.queryFinalInfo',
      flags: 0,
      tokens_used: { '@type': 'tokensUsed', ...usage, total_tokens_used: 2n },
    },
  })
  const { status, body: told } = await answered
  expect(status).toBe(200)
  expect(JSON.parse(told)).toEqual({ choices: [{ message: { content: 'well kept' } }] })
})

it('sends nothing where the network has no key for it', async () => {
  const { post, connection } = await start(0)
  const { status, body } = await post(chat)
  expect([status, JSON.parse(body)]).toMatchObject([503, { error_code: 651, error: expect.stringContaining('no key') }])
  expect(await connection.isSilent(50)).toBe(true)
})

it('passes on what a program has encrypted itself', async () => {
  const { post, connection } = await start(24)
  // Nobody answers: it breaks off at the end.
  post({
    ...chat,
    is_encrypted: 'v1',
    receiver_public_key: '55'.repeat(32),
    messages: [{ role: 'ENC_00', content: 'ENC_01' }],
  }).catch(() => undefined)
  const query = await connection.nextPacket('client.runQueryEx')
  expect(Buffer.from(query.public_key ?? []).toString('hex')).toBe('55'.repeat(32))
  expect(Buffer.from(decodeHttpRequest(query.query).body).toString()).toContain('ENC_01')
})
