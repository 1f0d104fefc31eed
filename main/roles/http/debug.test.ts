import { afterEach, describe, expect, it } from 'vitest'
import type { ClientOptions } from '../../client/options.ts'
import { decodeHttpRequest, encodeHttpResponse } from '../../protocol/http/http-message.ts'
import type { TlObject } from '../../protocol/tl/types.ts'
import { clientAddress } from '../testing/client-address.ts'
import { DebugLog, QueryDebug } from './query-debug.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const none = { prompt_tokens_used: 0n, cached_tokens_used: 0n, completion_tokens_used: 0n, reasoning_tokens_used: 0n }
const used: TlObject<'tokensUsed'> = { '@type': 'tokensUsed', ...none, total_tokens_used: 0n }
const hops = { proxy_debug: '{"type":"proxy_stats","start_time":1}', worker_debug: '{"type":"worker_stats"}' }

async function start(protoVersion = 4, client: Partial<ClientOptions> = {}) {
  const { connection, post, get, close } = await clientAddress({ client, protoVersion })
  closers.push(close)
  const asked = () => connection.nextPacket('client.runQueryEx')
  /** Answers the next question; `body` as its parts, the hops' words where they were asked for. */
  const answer = async (type: string, parts: readonly string[], debug: typeof hops | undefined = hops) => {
    const query = await asked()
    const { request_id, enable_debug } = query
    const head = encodeHttpResponse({ status: 200, reason: 'OK', headers: [['content-type', type]] })
    await connection.send({ '@type': 'client.queryAnswerEx', request_id, answer: head, flags: 0 })
    for (const part of parts)
      await connection.send({ '@type': 'client.queryAnswerPartEx', request_id, answer: Buffer.from(part), flags: 0 })
    const told = enable_debug === true && debug !== undefined ? { flags: 1, ...debug } : { flags: 0 }
    const final_info = { '@type': 'client.queryFinalInfo', tokens_used: used, ...told } as const
    await connection.send({ '@type': 'client.queryAnswerPartEx', request_id, answer: new Uint8Array(0), flags: 1, final_info })
    return query
  }
  const refuse = async (error_code: number, error: string): Promise<void> => {
    const { request_id } = await asked()
    const final_info = { '@type': 'client.queryFinalInfo', flags: 1, tokens_used: used, ...hops } as const
    await connection.send({ '@type': 'client.queryAnswerErrorEx', request_id, error_code, error, flags: 1, final_info })
  }
  return { post, get, answer, refuse, connection }
}

const chat = { model: 'M', messages: [{ role: 'user', content: 'my secret question' }] }

describe('what the hops say of a query', () => {
  it('is in the last value of a document, and in the log under the guid of the program', async () => {
    const { post, get, answer } = await start()
    const [response, query] = await Promise.all([
      post({ ...chat, enable_debug: true, request_guid: 'guid-1' }),
      answer('application/json', ['{"choices":[]}', '\n']),
    ])
    const { debug, ...rest } = JSON.parse(response.body) as { debug: Record<string, object> }
    expect(rest).toEqual({ choices: [] })
    expect(debug).toMatchObject({ proxy: { type: 'proxy_stats', start_time: 1 }, worker: { type: 'worker_stats' } })
    const { start_time, answer_receive_start_at, answer_receive_end_at } = debug.client as Record<string, number>
    expect([start_time, answer_receive_start_at, answer_receive_end_at]).toEqual(
      [start_time, answer_receive_start_at, answer_receive_end_at].toSorted(),
    )
    expect(Buffer.from(decodeHttpRequest(query.query).body).toString()).not.toMatch(/guid|enable_debug/)
    const log = await get('/request/debuglogentry?request_guid=guid-1&access_hash=secret')
    expect([log.status, log.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(JSON.parse(log.body)).toMatchObject({ proxy: { type: 'proxy_stats' }, client: { type: 'client_stats' } })
    expect(log.body).not.toContain('secret question')
    expect((await get('/request/debuglogentry?request_guid=guid-2&access_hash=secret')).status).toBe(404)
    expect((await get('/request/debuglogentry?request_guid=guid-1')).status).toBe(403)
  })

  it('is a comment of an event stream, behind its end', async () => {
    const { post, answer } = await start()
    const [response] = await Promise.all([
      post({ ...chat, stream: true, enable_debug: true }),
      answer('text/event-stream', ['data: {"a":1}\n\n', 'data: [DONE]\n\n']),
    ])
    const events = response.body.split('\n\n')
    expect(events.slice(0, 2)).toEqual(['data: {"a":1}', 'data: [DONE]'])
    expect(events[2]).toMatch(/^: cocoon-debug \{.*"worker_stats".*\}$/)
    expect(events[3]).toBe('')
  })

  it('is one more value behind lines of JSON, and nowhere in other forms', async () => {
    const { post, answer } = await start()
    const [lines] = await Promise.all([
      post({ ...chat, enable_debug: true }),
      answer('application/x-ndjson', ['{"a":1}\n', '{"b":2}\n']),
    ])
    const values = lines.body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(values).toMatchObject([{ a: 1 }, { b: 2 }, { debug: { proxy: { type: 'proxy_stats' } } }])
    const [other] = await Promise.all([post({ ...chat, enable_debug: true }), answer('text/plain', ['as it is'])])
    expect(other.body).toBe('as it is')
  })

  it('is in an error, also where the client itself refuses', async () => {
    const { post, get, refuse } = await start()
    const [refused] = await Promise.all([
      post({ ...chat, enable_debug: true, request_guid: 'g' }),
      refuse(621, 'unknown model M'),
    ])
    expect(refused.status).toBe(400)
    expect(JSON.parse(refused.body)).toMatchObject({
      error_code: 621,
      proxy: { type: 'proxy_stats' },
      client: { type: 'client_stats' },
    })
    expect((await get('/request/debuglogentry?request_guid=g&access_hash=secret')).status).toBe(200)
    const own = JSON.parse((await post({ ...chat, tools: [], enable_debug: true })).body) as object
    expect(own).toMatchObject({ error_code: 621, client: { type: 'client_stats' } })
    expect(own).not.toHaveProperty('proxy')
  })

  it('is neither asked for nor told unasked, and words that are no JSON object are left out', async () => {
    const { post, answer } = await start()
    const [plain, query] = await Promise.all([post(chat), answer('application/json', ['{"a":1}'])])
    expect([plain.body, query.enable_debug]).toEqual(['{"a":1}', false])
    const strange = { proxy_debug: 'data: evil\n\n', worker_debug: `{"a":"${'x'.repeat(70_000)}"}` }
    const [response] = await Promise.all([
      post({ ...chat, stream: true, enable_debug: true }),
      answer('text/event-stream', ['data: 1\n\n'], strange),
    ])
    expect(response.body.split('\n\n')).toHaveLength(3)
    expect(response.body).not.toMatch(/evil|xxxx/)
  })

  it('is kept for the newest queries only', () => {
    const log = new DebugLog()
    const entry = new QueryDebug(0).entry(undefined, 1)
    for (let at = 0; at < 300; at++) log.keep(`guid-${at}`, entry)
    expect([log.find('guid-0'), log.find('guid-43'), log.find('guid-44')]).toEqual([undefined, undefined, JSON.stringify(entry)])
    const big = { ...entry, proxy: { text: 'x'.repeat(600_000) } }
    log.keep('big-1', big)
    log.keep('big-2', big)
    expect([log.find('big-1'), log.find('big-2') === undefined]).toEqual([undefined, false])
  })
})

describe('a request', () => {
  it('without a limit gets the one of newer clients, in its body too; others keep theirs', async () => {
    const { post, answer } = await start()
    const bodyOf = (query: TlObject<'client.runQueryEx'>): object =>
      JSON.parse(Buffer.from(decodeHttpRequest(query.query).body).toString()) as object
    const [, usual] = await Promise.all([post(chat), answer('application/json', ['{}'])])
    expect([usual.max_tokens, bodyOf(usual)]).toEqual([10_000, { ...chat, max_tokens: 10_000 }])
    const [, own] = await Promise.all([
      post({ ...chat, max_tokens: 5, max_completion_tokens: 7 }),
      answer('application/json', ['{}']),
    ])
    expect([own.max_tokens, bodyOf(own)]).toEqual([7, { ...chat, max_completion_tokens: 7 }])
  })

  it('that is encrypted carries its key, in any spelling, and is not inspected', async () => {
    const { post, answer, connection } = await start(3)
    const key = Buffer.alloc(32, 0x55)
    const sealed = { is_encrypted: 'v1', model: 'M', messages: [{ role: 'ENC_00', content: 'ENC_01' }], max_tokens: 9 }
    for (const receiver_public_key of [key.toString('hex'), key.toString('base64'), key.toString('latin1')]) {
      const [, query] = await Promise.all([post({ ...sealed, receiver_public_key }), answer('application/json', ['{}'])])
      expect([query.flags, Buffer.from(query.public_key ?? []), query.max_tokens]).toEqual([3, key, 9])
    }
    expect((await post({ ...sealed, receiver_public_key: 'short' })).status).toBe(400)
    expect((await post({ ...chat, receiver_public_key: key.toString('hex') })).status).toBe(400)
    expect(await connection.isSilent(50)).toBe(true)
  })
})

it('/perf says how busy the process is', async () => {
  const { get } = await start()
  const { status, body } = await get('/perf')
  expect(status).toBe(200)
  expect(Number(/^memory_resident_bytes (\d+)$/m.exec(body)?.[1])).toBeGreaterThan(1 << 20)
})
