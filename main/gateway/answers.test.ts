import { describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { choices, chunk, lines, localPlace, question, stageOf, stageOver, usage } from './testing/gateway-scene.ts'
import { documentAnswer, eventsOf, paidPlace, textAnswer } from './testing/gateway-stage.ts'

const usageChunk = `data: ${JSON.stringify({ id: 'c', model: 'foreign', choices: [], usage: { ...usage, total_cost: 99 } })}\n\n`
const stream = { contentType: 'text/event-stream' }

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
    const local = localPlace(places[0])
    const stage = await stageOver([local, places[1].backend])
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
