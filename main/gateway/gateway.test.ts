import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { Failure } from '../base/failure.ts'
import { createLogger, silentLogger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { type EngineCapabilities, noCapabilities } from '../inference/capabilities.ts'
import { openDatabase } from '../storage/database.ts'
import type { GatewayBackend, RunningAnswer } from './backend.ts'
import { Gateway } from './gateway.ts'
import { gatewayMigrations } from './gateway-tables.ts'
import { localBackend } from './local-backend.ts'
import {
  allCapabilities,
  documentAnswer,
  eventsOf,
  openStage,
  type PaidPlace,
  paidPlace,
  type Stage,
  textAnswer,
  usualTerms,
} from './testing/gateway-stage.ts'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

const lines: string[] = []
async function stageOf(place: PaidPlace, options: Parameters<typeof openStage>[1] = {}): Promise<Stage> {
  const stage = await openStage([place.backend], { logger: createLogger((line) => lines.push(line), 'debug'), ...options })
  stages.push(stage)
  return stage
}
const messages = [{ role: 'user', content: 'a question of the utmost secrecy' }]
const question = { model: 'network/paid', messages }
const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }]
const usage = { prompt_tokens: 3, completion_tokens: 4 }
const chunk = (content: string, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c', model: 'foreign', choices: [{ index: 0, delta: { content } }], ...more })}\n\n`
const usageChunk = `data: ${JSON.stringify({ id: 'c', model: 'foreign', choices: [], usage: { ...usage, total_cost: 99 } })}\n\n`
const stream = { contentType: 'text/event-stream' }

/** An answer that goes on until it is stopped, and what it then cost. */
function endless(costNano: bigint | undefined, onStop: () => void = () => undefined) {
  return (signal: AbortSignal): RunningAnswer => {
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    void stopped.then(onStop)
    return {
      head: Promise.resolve({ status: 200, contentType: 'text/event-stream' }),
      end: stopped.then(() => ({ costNano, usage: { promptTokens: 5, completionTokens: 6 } })),
      body: {
        async *[Symbol.asyncIterator]() {
          while (!signal.aborted) {
            yield Buffer.from(chunk('more '))
            await pause(5, signal)
          }
        },
      },
    }
  }
}

describe('a key', () => {
  it('is needed for everything but the health', async () => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key()
    for (const [method, path] of [
      ['GET', '/v1/models'],
      ['POST', '/v1/chat/completions'],
      ['GET', '/metrics'],
      ['GET', '/nothing'],
    ] as const) {
      for (const headers of [
        {},
        { Authorization: 'Bearer sk-cocoon-wrong' },
        { Authorization: `Basic ${key}` },
        { Authorization: 'Bearer' },
      ]) {
        const reply = await stage.send(method, path, { headers: headers as Record<string, string>, body: question })
        expect(reply.status).toBe(401)
        expect(reply.json()).toMatchObject({ error: { type: 'authentication_error', code: 'invalid_api_key', param: null } })
      }
    }
    expect((await stage.send('GET', '/health')).json()).toEqual({ status: 'ok', backends: { network: 'ready' } })
  })

  it('is nowhere on disk, and nothing of a question or answer is in books and logs', async () => {
    const place = paidPlace(5n)
    place.answer = () => documentAnswer({ choices: [{ message: { content: 'a word nobody may keep' } }], usage }, 5n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: question })).status).toBe(200)
    await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, tools: 'utmost secrecy' } })
    const kept = [stage.databasePath, `${stage.databasePath}-wal`].map((path) => readFileSync(path, 'latin1')).join('\n')
    for (const secret of [key, key.slice('sk-cocoon-'.length), 'utmost secrecy', 'nobody may keep']) {
      expect(kept).not.toContain(secret)
      expect(lines.join('\n')).not.toContain(secret)
      const metrics = await stage.send('GET', '/metrics', { key })
      expect(metrics.text).not.toContain(secret)
    }
    expect(kept).toContain('api_key')
  })

  it('that is revoked opens nothing, and its requests under way end with the reason', async () => {
    const place = paidPlace(5n)
    place.answer = endless(2n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const running = stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true } })
    await expect.poll(() => stage.gateway.view().running).toBe(1)
    const [shown] = stage.gateway.view().keys
    stage.gateway.revokeKey({ id: shown?.id ?? '' })
    const { text } = await running
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: 'invalid_api_key' } })
    expect(text).not.toContain('[DONE]')
    expect((await stage.send('GET', '/v1/models', { key })).status).toBe(401)
    expect(stage.gateway.view().keys).toEqual([])
    expect(() => stage.gateway.revokeKey({ id: shown?.id ?? '' })).toThrow(/no such key/)
  })

  it('goes to no place that the user did not agree to', async () => {
    const place = paidPlace(5n)
    const local = { ...paidPlace(0n).backend, level: 'computer', prefix: 'local', needsConsent: false } as const
    const stage = await openStage([local, place.backend])
    stages.push(stage)
    const terms = { name: 'x', models: null, origins: [], dailyLimit: 10n }
    expect(() => stage.gateway.createKey({ ...terms, level: 'practice', consent: false })).toThrow(/agreed/)
    expect(() => stage.gateway.createKey({ ...terms, level: 'open', consent: true })).toThrow(/cannot be used here/)
    const narrow = stage.gateway.createKey({ ...terms, level: 'computer', consent: false })
    const asked = async (key: string, model: string, headers = {}) => {
      const reply = await stage.send('POST', '/v1/chat/completions', { key, headers, body: { ...question, model } })
      return [reply.status, reply.headers['x-cocoon-level'], (reply.json() as { error?: { code: string } }).error?.code]
    }
    expect(await asked(narrow.secret, 'network/paid')).toEqual([403, undefined, 'level_not_allowed'])
    expect(await asked(narrow.secret, 'paid', { 'X-Cocoon-Level': 'practice' })).toEqual([403, undefined, 'level_not_allowed'])
    expect(place.asked).toEqual([])
    expect(await asked(narrow.secret, 'paid')).toEqual([200, 'computer', undefined])
    stage.gateway.changeKey({ id: narrow.id, ...terms, level: 'practice', consent: true })
    expect(await asked(narrow.secret, 'paid')).toEqual([200, 'practice', undefined])
    expect(await asked(narrow.secret, 'local/paid')).toEqual([200, 'computer', undefined])
    expect(await asked(narrow.secret, 'paid', { 'X-Cocoon-Level': 'local' })).toEqual([200, 'computer', undefined])
    expect(await asked(narrow.secret, 'local/paid', { 'X-Cocoon-Level': 'network' })).toEqual([400, undefined, 'invalid_value'])
    expect(await asked(narrow.secret, 'paid', { 'X-Cocoon-Level': 'moon' })).toEqual([400, undefined, 'invalid_value'])
    expect(await asked(narrow.secret, 'network/other')).toEqual([404, undefined, 'model_not_found'])
    // The agreement was given for this key once; it holds when the level goes back and forth.
    stage.gateway.changeKey({ id: narrow.id, ...terms, level: 'computer', consent: false })
    expect(await asked(narrow.secret, 'network/paid')).toEqual([403, undefined, 'level_not_allowed'])
    stage.gateway.changeKey({ id: narrow.id, ...terms, models: ['local/paid'], level: 'practice', consent: false })
    expect(await asked(narrow.secret, 'network/paid')).toEqual([403, undefined, 'model_not_allowed'])
    const listed = (await stage.send('GET', '/v1/models', { key: narrow.secret })).json() as { data: { id: string }[] }
    expect(listed.data.map(({ id }) => id)).toEqual(['local/paid'])
  })
})

describe('a key that is changed while a body comes', () => {
  const terms = { name: 'x', models: null, origins: ['http://localhost:3000'], dailyLimit: 100n }
  /** What is answered when the change happens between the first and the second half of the body. */
  async function between(change: (gateway: Stage['gateway'], id: string) => void) {
    const place = paidPlace(60n)
    const local = { ...paidPlace(0n).backend, level: 'computer', prefix: 'local', needsConsent: false } as const
    const stage = await openStage([local, place.backend])
    stages.push(stage)
    const { id, secret } = stage.gateway.createKey({ ...terms, level: 'practice', consent: true })
    const body = JSON.stringify(question)
    const reply = new Promise<unknown>((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port: stage.port,
        method: 'POST',
        path: '/v1/chat/completions',
        headers: {
          Authorization: `Bearer ${secret}`,
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          Origin: 'http://localhost:3000',
        },
      })
      request.once('error', reject)
      request.once('response', (response) => {
        let text = ''
        response.on('data', (part: Buffer) => {
          text += part.toString()
        })
        response.once('end', () => resolve([response.statusCode, (JSON.parse(text) as { error?: { code: string } }).error?.code]))
      })
      request.write(body.slice(0, 10))
      void expect
        .poll(() => stage.gateway.view().running)
        .toBe(1)
        .then(() => {
          change(stage.gateway, id)
          request.end(body.slice(10))
        }, reject)
    })
    return { reply: await reply, asked: place.asked.length }
  }

  it.each([
    ['narrowed', { ...terms, level: 'computer' as const }, 403, 'level_not_allowed'],
    ['given fewer models', { ...terms, models: ['local/paid'], level: 'practice' as const }, 403, 'model_not_allowed'],
    ['given less money', { ...terms, dailyLimit: 59n, level: 'practice' as const }, 429, 'daily_limit_reached'],
    ['given fewer pages', { ...terms, origins: [], level: 'practice' as const }, 403, 'origin_not_allowed'],
  ])('counts as it is then: %s', async (_name, changed, status, code) => {
    const { reply, asked } = await between((gateway, id) => gateway.changeKey({ id, ...changed, consent: false }))
    expect([reply, asked]).toEqual([[status, code], 0])
  })

  it('counts as it is then: revoked', async () => {
    const { reply, asked } = await between((gateway, id) => gateway.revokeKey({ id }))
    expect([reply, asked]).toEqual([[401, 'invalid_api_key'], 0])
  })
})

describe('money', () => {
  it('is reserved before anything is sent, and a limit that is reached sends nothing', async () => {
    const place = paidPlace(60n)
    const held: Array<() => void> = []
    place.answer = () => {
      const gate = new Promise<void>((resolve) => held.push(resolve))
      return {
        ...documentAnswer({ choices, usage }, 20n),
        head: gate.then(() => ({ status: 200, contentType: 'application/json' })),
        end: gate.then(() => ({ costNano: 20n })),
      }
    }
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const first = stage.send('POST', '/v1/chat/completions', { key, body: question })
    await expect.poll(() => held.length).toBe(1)
    expect(stage.gateway.view().keys[0]?.today).toMatchObject({ reserved: 60n, spent: 0n })
    const refused = await stage.send('POST', '/v1/chat/completions', { key, body: question })
    expect([refused.status, refused.headers['x-should-retry']]).toEqual([429, 'false'])
    expect(refused.json()).toMatchObject({ error: { type: 'insufficient_quota', code: 'daily_limit_reached' } })
    expect(place.asked.length).toBe(1)
    held[0]?.()
    const { headers } = await first
    expect([headers['x-cocoon-cost-nano'], headers['x-cocoon-level']]).toEqual(['20', 'practice'])
    expect(stage.gateway.view().keys[0]?.today).toMatchObject({ reserved: 0n, spent: 20n, promptTokens: 3, completionTokens: 4 })
  })

  it('nothing is spent where nothing was asked for: limit 0, wrong fields, a place that fails before it sends', async () => {
    const place = paidPlace(60n)
    const stage = await stageOf(place)
    const poor = stage.key({ level: 'practice', dailyLimit: 0n })
    expect((await stage.send('POST', '/v1/chat/completions', { key: poor, body: question })).status).toBe(429)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, audio: {} } })).status).toBe(400)
    expect(place.asked).toEqual([])
    place.answer = () => {
      throw new Failure('no-connection', 'No proxy is connected.')
    }
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: question })).status).toBe(503)
    expect(stage.gateway.view().keys.map(({ today }) => [today.spent, today.unsure, today.reserved])).toEqual([
      [0n, 0n, 0n],
      [0n, 0n, 0n],
    ])
  })

  it('an answer whose cost nobody told counts with the most that it may have cost', async () => {
    const place = paidPlace(60n)
    place.answer = () => ({
      ...documentAnswer({}, undefined),
      head: Promise.reject(
        new Failure('connection-lost', 'The connection to the proxy was lost.', { money: 'It may be charged.' }),
      ),
    })
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const reply = await stage.send('POST', '/v1/chat/completions', { key, body: question })
    expect(reply.status).toBe(502)
    expect(reply.json()).toMatchObject({
      error: { message: expect.stringContaining('It may be charged.'), code: 'connection_lost' },
    })
    expect(stage.gateway.view().keys[0]?.today).toMatchObject({ spent: 0n, unsure: 60n, reserved: 0n })
  })

  it('a caller that leaves stops the answer, and what it cost until then is counted', async () => {
    const place = paidPlace(60n)
    let stopped = 0
    place.answer = endless(7n, () => stopped++)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const request = httpRequest({
      host: '127.0.0.1',
      port: stage.port,
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    })
    request.once('response', (response) => response.once('data', () => request.destroy()))
    request.once('error', () => undefined)
    request.end(JSON.stringify({ ...question, stream: true }))
    await expect.poll(() => stopped).toBe(1)
    await expect.poll(() => stage.gateway.view().running).toBe(0)
    const { keys, recent } = stage.gateway.view()
    expect(keys[0]?.today).toMatchObject({ spent: 7n, reserved: 0n, promptTokens: 5, completionTokens: 6 })
    expect(recent).toMatchObject([{ status: 499, cost: 7n, model: 'network/paid', level: 'practice' }])
  })
})

describe('an answer', () => {
  it('streams with the usage only for who asked, under the name that the caller knows, without a worker’s idea of the cost', async () => {
    const place = paidPlace(5n)
    place.answer = () => textAnswer([chunk('Hel'), chunk('lo', { usage: null }), usageChunk, 'data: [DONE]\n\n'], 5n, stream)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const ask = async (more: object) => {
      const reply = await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true, ...more } })
      expect(reply.headers['content-type']).toMatch(/^text\/event-stream/)
      return eventsOf(reply.text)
    }
    const delta = (content: string) => ({ id: 'c', model: 'network/paid', choices: [{ index: 0, delta: { content } }] })
    expect(await ask({})).toEqual([delta('Hel'), delta('lo'), ': cocoon-cost-nano 5', '[DONE]'])
    expect(await ask({ stream_options: { include_usage: true } })).toEqual([
      delta('Hel'),
      { ...delta('lo'), usage: null },
      { id: 'c', model: 'network/paid', choices: [], usage },
      ': cocoon-cost-nano 5',
      '[DONE]',
    ])
  })

  it('is whole with a reason for its end, also without [DONE]', async () => {
    const place = paidPlace(5n)
    const end = `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta: {}, finish_reason: 'length' }] })}\n\n`
    place.answer = () => textAnswer([chunk('a'), end, usageChunk], 5n, stream)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const { text } = await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true } })
    expect(eventsOf(text).at(-1)).toBe('[DONE]')
  })

  it('that cost more than was put aside is marked so, whole and streamed', async () => {
    const place = paidPlace(5n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const ask = (more: object) => stage.send('POST', '/v1/chat/completions', { key, body: { ...question, ...more } })
    place.answer = () => documentAnswer({ choices, usage }, 6n)
    const { headers } = await ask({})
    expect([headers['x-cocoon-cost-nano'], headers['x-cocoon-put-aside-nano']]).toEqual(['6', '5'])
    place.answer = () => textAnswer([chunk('a'), 'data: [DONE]\n\n'], 7n, stream)
    const { text } = await ask({ stream: true })
    expect(eventsOf(text).slice(1)).toEqual([': cocoon-cost-nano 7', ': cocoon-put-aside-nano 5', '[DONE]'])
    place.answer = () => documentAnswer({ choices, usage }, 5n)
    expect((await ask({})).headers).not.toHaveProperty('x-cocoon-put-aside-nano')
    expect(stage.gateway.view().keys[0]?.today.spent).toBe(18n)
  })

  it('in one document may be as long as it is from this computer, but not from a network', async () => {
    const long = JSON.stringify({ object: 'list', data: [{ index: 0, embedding: 'x'.repeat(33 << 20) }] })
    const places = [paidPlace(0n), paidPlace(0n)] as const
    for (const place of places) place.answer = () => documentAnswer(long, 0n)
    const local = { ...places[0].backend, level: 'computer', prefix: 'local', needsConsent: false } as const
    const stage = await openStage([local, places[1].backend])
    stages.push(stage)
    const key = stage.key({ level: 'practice' })
    const ask = (place: string) => stage.send('POST', '/v1/embeddings', { key, body: { model: `${place}/paid`, input: ['a'] } })
    const [here, there] = [await ask('local'), await ask('network')]
    expect([here.status, here.text.length > 33 << 20, there.status]).toEqual([200, true, 502])
  })

  it('of a foreign place may come in any pieces', async () => {
    const text = `${chunk('é')}${usageChunk}data: [DONE]\n\n`
    const place = paidPlace(5n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 1000n })
    const whole = Buffer.from(text)
    place.answer = () => ({
      ...textAnswer([], 5n, stream),
      body: {
        async *[Symbol.asyncIterator]() {
          for (const byte of whole) yield Uint8Array.of(byte)
        },
      },
    })
    const { text: got } = await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true } })
    expect(eventsOf(got)).toMatchObject([{ choices: [{ delta: { content: 'é' } }] }, ': cocoon-cost-nano 5', '[DONE]'])
  })

  it.each([
    ['breaks off', [chunk('a'), new Failure('connection-lost', 'The connection was lost.')], 'connection_lost'],
    ['just ends', [chunk('a'), chunk('b'), usageChunk], 'answer_malformed'],
    ['is no JSON', [chunk('a'), 'data: {oops\n\n'], 'answer_malformed'],
    ['is no object', [chunk('a'), 'data: 5\n\n'], 'answer_malformed'],
    ['tells an error', [chunk('a'), 'data: {"error":{"message":"out of memory"}}\n\n'], 'engine_refused'],
    ['tells an error in the same packet', [`${chunk('a')}data: {"error":{"message":"out of memory"}}\n\n`], 'engine_refused'],
    ['is no answer in the same packet', [`${chunk('a')}data: {"choices":[null]}\n\n`], 'answer_malformed'],
    ['never ends an event', [chunk('a'), `data: ${'x'.repeat(3 << 20)}`], 'answer_malformed'],
  ] as const)('that %s in the middle ends with an error in the stream, not as if it were whole', async (_name, parts, code) => {
    const place = paidPlace(5n)
    place.answer = () => textAnswer(parts, 3n, stream)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const { status, text } = await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true } })
    expect(status).toBe(200)
    const events = eventsOf(text)
    expect(events[0]).toMatchObject({ choices: [{ delta: { content: 'a' } }] })
    expect(events.at(-1)).toMatchObject({ error: { type: 'server_error', code } })
    expect(text).not.toContain('[DONE]')
    await expect.poll(() => stage.gateway.view().keys[0]?.today.spent).toBe(3n)
  })

  it.each([
    [
      'an error in OpenAI’s form',
      400,
      '{"error":{"message":"bad stop","param":"stop","code":"x"}}',
      400,
      { message: 'bad stop', param: 'stop' },
    ],
    ['an error in no form', 500, '<html>', 500, { message: 'The engine answered with the status 500.' }],
    ['a redirect', 302, '', 502, {}],
    ['a document that is none', 200, 'nothing', 502, { code: 'answer_malformed' }],
    ['a list', 200, '[]', 502, { code: 'answer_malformed' }],
  ])('in one document: %s', async (_name, status, body, told, error) => {
    const place = paidPlace(5n)
    place.answer = () => documentAnswer(body, 0n, status)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const reply = await stage.send('POST', '/v1/chat/completions', { key, body: question })
    expect(reply.status).toBe(told)
    expect(reply.json()).toMatchObject({ error })
  })

  const good = { index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }
  const bad: readonly [name: string, answer: object][] = [
    ['nothing', {}],
    ['no choice', { choices: [] }],
    ['choices that are none', { choices: [null] }],
    ['choices in no list', { choices: { 0: good } }],
    ['a choice without a message', { choices: [{ index: 0, finish_reason: 'stop' }] }],
    ['words that are no text', { choices: [{ ...good, message: { role: 'assistant', content: 5 } }] }],
    ['another role', { choices: [{ ...good, message: { role: 'system', content: 'a' } }] }],
    ['no word as the reason for its end', { choices: [{ ...good, finish_reason: 'What ever!' }] }],
    ['a negative place', { choices: [{ ...good, index: -1 }] }],
    ['calls that are none', { choices: [{ ...good, message: { role: 'assistant', content: null, tool_calls: ['f'] } }] }],
    ...[-1, 0.5, '3', 1e300, [3]].map(
      (tokens) => [`a usage of ${tokens}`, { choices: [good], usage: { prompt_tokens: 1, completion_tokens: tokens } }] as const,
    ),
    ['a usage that is none', { choices: [good], usage: 'much' }],
  ].map(([name, answer]) => [name as string, answer as object])
  it.each(bad)('with %s is refused, whole and streamed', async (_name, answer) => {
    const place = paidPlace(5n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const ask = (more: object = {}) => stage.send('POST', '/v1/chat/completions', { key, body: { ...question, ...more } })
    place.answer = () => documentAnswer(answer, 1n)
    const whole = await ask()
    expect([whole.status, whole.json()]).toMatchObject([502, { error: { code: 'answer_malformed' } }])
    // As events: what is a message there is a piece of one.
    const event = JSON.stringify(answer).replaceAll('"message"', '"delta"')
    place.answer = () => textAnswer([`data: ${event}\n\n`, 'data: [DONE]\n\n'], 1n, stream)
    const events = eventsOf((await ask({ stream: true, stream_options: { include_usage: true } })).text)
    // The event that tells the usage has no choice.
    if (event === '{"choices":[]}') return
    expect(events).toMatchObject([{ error: { code: 'answer_malformed' } }])
  })

  it.each([
    ['completions', { choices: [{ index: 0, finish_reason: 'stop' }] }],
    ['completions', { choices: [{ index: 0, text: null, finish_reason: 'stop' }] }],
    ['embeddings', { data: 'x' }],
    ['embeddings', { data: [{ index: 0, embedding: [1, '2'] }] }],
    ['embeddings', '{"data":[{"index":0,"embedding":[1e999]}]}'],
  ])('of %s with %j is refused', async (endpoint, answer) => {
    const place = paidPlace(5n)
    place.answer = () => documentAnswer(answer, 1n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const body = { model: question.model, ...(endpoint === 'completions' ? { prompt: 'x' } : { input: 'x' }) }
    const reply = await stage.send('POST', `/v1/${endpoint}`, { key, body })
    expect([reply.status, reply.json()]).toMatchObject([502, { error: { code: 'answer_malformed' } }])
  })

  it('by a defect tells nothing of itself', async () => {
    const place = paidPlace(5n)
    place.answer = () => {
      throw new TypeError('utmost secrecy of a defect')
    }
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const reply = await stage.send('POST', '/v1/chat/completions', { key, body: question })
    expect([reply.status, reply.text.includes('secrecy')]).toEqual([500, false])
    expect(lines.join('\n')).not.toContain('secrecy')
  })
})

describe('what is no request of a program', () => {
  it.each([
    ['GET', '/v1/chat/completions', {}, 405, 'method_not_allowed'],
    ['POST', '/v1/models', {}, 405, 'method_not_allowed'],
    ['DELETE', '/health', {}, 405, 'method_not_allowed'],
    ['POST', '/v1/responses', {}, 404, 'unknown_url'],
    ['GET', '/v1/models/network%2Fnone', {}, 404, 'model_not_found'],
    ['GET', '/v1/models/%ff%', {}, 404, 'model_not_found'],
    ['POST', '/v1/chat/completions', { 'Content-Type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['POST', '/v1/chat/completions', { 'Content-Encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['GET', '/v1/models', { Host: 'evil.example' }, 403, 'host_not_allowed'],
    ['GET', '/health', { Host: 'evil.example:4811' }, 403, 'host_not_allowed'],
    ['GET', '/health', { Host: '127.0.0.1.evil.example' }, 403, 'host_not_allowed'],
    ['GET', '/v1/models', { Origin: 'https://evil.example' }, 403, 'origin_not_allowed'],
    ['GET', '/v1/models', { Origin: 'null' }, 403, 'origin_not_allowed'],
  ])('%s %s with %o', async (method, path, headers, status, code) => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ level: 'practice' })
    const body = method === 'POST' ? question : undefined
    const reply = await stage.send(method, path, { key, headers: headers as Record<string, string>, ...(body && { body }) })
    expect(reply.status).toBe(status)
    expect(reply.json()).toEqual({
      error: { message: expect.any(String), type: expect.any(String), param: expect.toBeOneOf([null, expect.any(String)]), code },
    })
    expect(reply.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('names of this computer are taken', async () => {
    const stage = await stageOf(paidPlace(1n))
    for (const Host of ['localhost', `localhost:${stage.port}`, '127.0.0.1', '[::1]:80'])
      expect((await stage.send('GET', '/health', { headers: { Host } })).status).toBe(200)
  })

  it('pages of listed origins alone may ask, and are told so beforehand', async () => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ origins: ['http://localhost:3000'] })
    const ask = (origin: string) => ({
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization, x-stainless-os',
    })
    const yes = await stage.send('OPTIONS', '/v1/chat/completions', { headers: ask('http://localhost:3000') })
    expect([yes.status, yes.headers['access-control-allow-origin'], yes.headers['access-control-allow-headers']]).toEqual([
      204,
      'http://localhost:3000',
      'authorization, x-stainless-os',
    ])
    const no = await stage.send('OPTIONS', '/v1/chat/completions', { headers: ask('http://localhost:3001') })
    expect([no.status, no.headers['access-control-allow-origin']]).toEqual([403, undefined])
    const other = stage.key()
    const reply = await stage.send('GET', '/v1/models', { key, headers: { Origin: 'http://localhost:3000' } })
    expect([reply.status, reply.headers['access-control-allow-origin'], reply.headers.vary]).toEqual([
      200,
      'http://localhost:3000',
      'Origin',
    ])
    expect((await stage.send('GET', '/v1/models', { key: other, headers: { Origin: 'http://localhost:3000' } })).status).toBe(403)
  })

  it('a body beyond the limit is refused, told or not', async () => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ level: 'practice' })
    const huge = new Uint8Array((16 << 20) + 1).fill(0x20)
    const told = await stage.send('POST', '/v1/chat/completions', { key, body: huge })
    expect([told.status, (told.json() as { error: { code: string } }).error.code]).toEqual([413, 'request_too_large'])
    const headers = { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }
    const untold = await stage.send('POST', '/v1/chat/completions', { key, headers, body: huge })
    expect(untold.status).toBe(413)
    expect((untold.json() as { error: { code: string } }).error.code).toBe('request_too_large')
    expect(stage.gateway.view().recent.map(({ status }) => status)).toEqual([413, 413])
  })

  it('requests that come by drops are ended', async () => {
    const stage = await stageOf(paidPlace(1n), { limits: { headMs: 200, requestMs: 300 } })
    const key = stage.key({ level: 'practice' })
    const drip = (start: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(stage.port, '127.0.0.1')
        let text = ''
        socket.on('data', (data) => {
          text += data.toString()
        })
        socket.once('close', () => resolve(text))
        socket.once('error', () => undefined)
        socket.write(start)
      })
    const [head, body] = await Promise.all([
      drip('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A:'),
      drip(
        `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
      ),
    ])
    for (const text of [head, body]) {
      expect(text).toMatch(/^HTTP\/1.1 408 /)
      expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ error: { type: 'invalid_request_error' } })
    }
    expect(await drip('GARBAGE\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*"error"/)
    expect(await drip(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 [\s\S]*"error"/,
    )
    expect(stage.gateway.view().running).toBe(0)
  })
})

describe('more connections than there are places', () => {
  const places = 256
  /** Connections that were opened and stay as they are. */
  async function opened(port: number, count: number, words: string) {
    const all = Array.from({ length: count }, () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.on('data', () => undefined)
      socket.write(words)
      return socket
    })
    await Promise.all(all.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))))
    onTestFinished(() => {
      for (const socket of all) socket.destroy()
    })
    return all
  }

  it.each([
    ['say nothing', ''],
    ['say half a head', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A:'],
    ['send a body by drops', 'POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{'],
  ])('and without a key keep nobody out: those that %s', async (_name, words) => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const before = performance.now()
    const waiting = await opened(stage.port, 4 * places, words)
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: question })).status).toBe(200)
    // Not only once the slow ones have run into their own limit of 20 s.
    expect(performance.now() - before).toBeLessThan(10_000)
    await expect.poll(() => waiting.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(places)
  })

  it('and with a request of a key under way give way to no other', async () => {
    const place = paidPlace(5n)
    place.answer = endless(2n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const running = stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true } })
    await expect.poll(() => stage.gateway.view().running).toBe(1)
    const waiting = await opened(stage.port, 2 * places, '')
    await expect.poll(() => waiting.filter(({ destroyed }) => !destroyed).length).toBeLessThan(places)
    expect(stage.gateway.view().running).toBe(1)
    stage.gateway.revokeKey({ id: stage.gateway.view().keys[0]?.id ?? '' })
    expect(eventsOf((await running).text).at(-1)).toMatchObject({ error: { code: 'invalid_api_key' } })
  })
})

describe('an engine that is loading another model', () => {
  it('is no offer: requests may be repeated, and are told why', async () => {
    const can = { value: noCapabilities }
    const handle = async (): Promise<never> => {
      throw new Error('Nobody is to ask.')
    }
    const local = localBackend({
      current: () => ({ backend: { model: 'm', healthy: () => true, handle }, capabilities: can.value }),
      trouble: () => 'The model m is being loaded.',
      permission: async () => undefined,
    })
    const stage = await openStage([local])
    stages.push(stage)
    const key = stage.key()
    const reply = await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, model: 'local/m' } })
    expect([reply.status, reply.headers['x-should-retry']]).toEqual([503, 'true'])
    expect(reply.json()).toMatchObject({ error: { code: 'not_ready', message: 'The model m is being loaded.' } })
    expect((await stage.send('GET', '/health')).json()).toMatchObject({ backends: { local: 'not ready' } })
    can.value = { ...noCapabilities, chat: true }
    expect((await stage.send('GET', '/health')).json()).toMatchObject({ backends: { local: 'ready' } })
  })
})

describe('an engine that gave its model up', () => {
  it.each([
    ['that is tried again', 42, 'true', '42'],
    ['that is not', null, 'false', undefined],
  ] as const)('is not ready, and says when trying again can help: a model %s', async (_name, afterS, should, after) => {
    const others = {
      offers: () => [{ model: 'other', capabilities: null, isLoaded: false }],
      troubleOf: (model: string) => (model === 'm' ? 'The engine stopped.' : undefined),
      bring: async () => undefined,
      answering: () => undefined,
    }
    const local = localBackend({
      current: () => undefined,
      trouble: () => 'Not asked: there is another model.',
      retryAfterS: () => afterS,
      permission: async () => undefined,
      others,
    })
    const stage = await openStage([local])
    stages.push(stage)
    const reply = await stage.send('POST', '/v1/chat/completions', { key: stage.key(), body: { ...question, model: 'local/m' } })
    expect(reply.json()).toMatchObject({ error: { code: 'not_ready', message: 'The engine stopped.' } })
    expect([reply.status, reply.headers['x-should-retry'], reply.headers['retry-after']]).toEqual([503, should, after])
    expect((await stage.send('GET', '/health')).json()).toMatchObject({ backends: { local: 'not ready' } })
  })
})

describe('a model that its first request loads', () => {
  async function loading(bring: (stage: Stage) => void) {
    let can: EngineCapabilities | null = null
    const asked: unknown[] = []
    const backend: GatewayBackend = {
      ...{ level: 'computer', prefix: 'local', needsConsent: false },
      offers: () => [{ model: 'm', capabilities: can, isLoaded: can !== null }],
      trouble: () => 'Nobody answers.',
      bring: async () => {
        can = { ...allCapabilities, tools: false }
        bring(stage)
      },
      prepare: ({ body }) => {
        asked.push(body)
        return { worstCaseNano: 0n, run: () => documentAnswer({ choices, usage: {} }, 0n) }
      },
    }
    const stage = await openStage([backend])
    stages.push(stage)
    const key = stage.key()
    const send = (more: object = {}) =>
      stage.send('POST', '/v1/chat/completions', { key, body: { ...question, model: 'local/m', ...more } })
    return { stage, key, send, asked, forget: () => (can = null) }
  }

  it('is judged by what it can do then, and listed as unknown before', async () => {
    const { stage, key, send, asked } = await loading(() => undefined)
    const listed = async () => (await stage.send('GET', '/v1/models', { key })).json()
    expect(await listed()).toMatchObject({ data: [{ id: 'local/m', loaded: false, capabilities: null, context_length: null }] })
    const refused = await send({ tools: [{ type: 'function', function: { name: 'f' } }] })
    expect([refused.status, refused.json()]).toMatchObject([400, { error: { param: 'tools', code: 'unsupported_parameter' } }])
    expect(asked).toEqual([])
    expect(await listed()).toMatchObject({ data: [{ loaded: true, capabilities: { tools: false }, context_length: 2048 }] })
    expect((await send()).status).toBe(200)
    expect(asked.length).toBe(1)
  })

  it('is not asked with a key that the user limited or revoked while it was loaded', async () => {
    const limited = await loading(({ gateway }) => {
      const { id = '' } = gateway.view().keys[0] ?? {}
      gateway.changeKey({ ...usualTerms, models: ['local/other'], id, consent: false })
    })
    expect((await limited.send()).json()).toMatchObject({ error: { code: 'model_not_allowed' } })
    const revoked = await loading(({ gateway }) => gateway.revokeKey({ id: gateway.view().keys[0]?.id ?? '' }))
    expect((await revoked.send()).status).toBe(401)
    expect([...limited.asked, ...revoked.asked]).toEqual([])
  })

  it('may have gone again at once: the request may be repeated', async () => {
    const scene = await loading(() => scene.forget())
    const reply = await scene.send()
    expect([reply.status, reply.headers['x-should-retry']]).toEqual([503, 'true'])
    expect(scene.asked).toEqual([])
  })
})

describe('the address', () => {
  it('is closed and opened by the switch, and says when its port is taken', async () => {
    const stage = await stageOf(paidPlace(1n))
    const { gateway, port } = stage
    await gateway.apply({ enabled: false, port })
    await expect(stage.send('GET', '/health')).rejects.toThrow(/ECONNREFUSED/)
    expect(gateway.view().status).toBe('off')
    await gateway.apply({ enabled: true, port })
    expect((await stage.send('GET', '/health')).status).toBe(200)
    const other = await openStage([])
    stages.push(other)
    await other.gateway.apply({ enabled: true, port })
    expect(other.gateway.view()).toMatchObject({ status: 'failed', error: expect.stringContaining(`Port ${port} is used`) })
  })

  it('is as it was left at the next start', async () => {
    const stage = await stageOf(paidPlace(1n))
    const { gateway, port } = stage
    await gateway.stop()
    const database = openDatabase(stage.databasePath, gatewayMigrations, { logger: silentLogger })
    const next = () => new Gateway({ database, backends: [], logger: silentLogger })
    const first = next()
    await first.start()
    expect(first.view()).toMatchObject({ status: 'off', enabled: false, url: 'http://127.0.0.1:4811/v1' })
    await first.set({ port })
    await first.set({ enabled: true })
    expect(first.view()).toMatchObject({ status: 'listening', port })
    await first.stop()
    const second = next()
    await second.start()
    expect(second.view()).toMatchObject({ status: 'listening', port })
    await second.set({ enabled: false })
    await expect(stage.send('GET', '/health')).rejects.toThrow(/ECONNREFUSED/)
    await second.stop()
    database.close()
  })

  it('tells Prometheus what happened', async () => {
    const place = paidPlace(5n)
    const stage = await stageOf(place)
    const key = stage.key({ name: 'my "program"', level: 'practice', dailyLimit: 100n })
    await stage.send('POST', '/v1/chat/completions', { key, body: question })
    await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, model: 'network/x' } })
    const { text, headers } = await stage.send('GET', '/metrics', { key })
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(text).toContain('cocoon_api_requests_total{endpoint="chat",level="practice",status="200"} 1\n')
    expect(text).toContain('cocoon_api_requests_total{endpoint="chat",level="none",status="404"} 1\n')
    expect(text).toContain('cocoon_api_tokens_total{level="practice",kind="completion"} 4\n')
    expect(text).toContain('cocoon_api_spent_nanoton_total{level="practice"} 1\n')
    expect(text).toMatch(/cocoon_api_request_duration_seconds_bucket\{endpoint="chat",level="practice",le="\+Inf"\} 1\n/)
    expect(text).not.toContain('program')
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^{}]*\})? [0-9.e+-]+)$/)
  })
})
