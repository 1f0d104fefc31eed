import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import type { Engine } from '../inference/engine.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { type Endpoint, endpointPaths } from './api-request.ts'
import { localBackend } from './local-backend.ts'
import { allCapabilities, engineBackend, openStage, type Stage, tinyEngine, tinyModel } from './testing/gateway-stage.ts'

let engine: LocalEngine
let stage: Stage
let key: string
const model = `local/${tinyModel}`
const messages = [{ role: 'user', content: 'hi' }]

beforeAll(async () => {
  engine = await tinyEngine()
  stage = await openStage([engineBackend(engine)])
  key = stage.key()
})
afterAll(async () => {
  await stage?.close()
  await engine?.dispose()
})

const weather = { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }
const called = (text: string) => ({
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'c', type: 'function', function: { name: 'weather', arguments: text } }],
})
const result = { role: 'tool', tool_call_id: 'c', content: 'warm' }
const long = 'word '.repeat(5_000)

const without: Record<Endpoint, object> = { chat: {}, completions: {}, embeddings: { max_tokens: null } }

describe('what only the engine can judge is refused by its field', () => {
  it.each<[name: string, endpoint: Endpoint, body: object, param: string, code: string]>([
    ['an empty prompt', 'completions', { prompt: '' }, 'prompt', 'invalid_value'],
    ['several prompts', 'completions', { prompt: ['a', 'b'] }, 'prompt', 'invalid_value'],
    ['a prompt of numbers', 'completions', { prompt: [1, 2] }, 'prompt', 'invalid_value'],
    ['a prompt too long', 'completions', { prompt: long }, 'prompt', 'context_length_exceeded'],
    ['a chat too long', 'chat', { messages: [{ role: 'user', content: long }] }, 'messages', 'context_length_exceeded'],
    ['a text too long', 'embeddings', { input: ['x', long] }, 'input', 'context_length_exceeded'],
    ['an empty text', 'embeddings', { input: ['x', ''] }, 'input[1]', 'invalid_value'],
    ['no text', 'embeddings', { input: '' }, 'input', 'invalid_value'],
    ['a text of numbers', 'embeddings', { input: [1, 2] }, 'input', 'invalid_value'],
    ['too many texts', 'embeddings', { input: Array(3_000).fill('x') }, 'input', 'invalid_value'],
    ['two tools of one name', 'chat', { messages, tools: [weather, weather] }, 'tools', 'invalid_value'],
    [
      'a choice that is no tool',
      'chat',
      { messages, tools: [weather], tool_choice: { type: 'function', function: { name: 'other' } } },
      'tool_choice',
      'invalid_value',
    ],
    [
      'tools with a form',
      'chat',
      { messages, tools: [weather], response_format: { type: 'json_object' } },
      'response_format',
      'invalid_value',
    ],
    [
      'arguments that are no JSON',
      'chat',
      { messages: [...messages, called('{'), result], tools: [weather] },
      'messages[1].tool_calls[0].function.arguments',
      'invalid_value',
    ],
    [
      'a call without its result',
      'chat',
      { messages: [...messages, called('{}'), ...messages], tools: [weather] },
      'messages[1].tool_calls[0]',
      'invalid_value',
    ],
    [
      'a result without a call',
      'chat',
      { messages: [...messages, result], tools: [weather] },
      'messages[1].tool_call_id',
      'invalid_value',
    ],
    ['a token that the model does not have', 'chat', { messages, logit_bias: { 99999999: 1 } }, 'logit_bias', 'invalid_value'],
    ['a token that ends answers', 'chat', { messages, logit_bias: { 4: 1 } }, 'logit_bias', 'unsupported_parameter'],
  ])('%s', async (_name, endpoint, body, param, code) => {
    const reply = await stage.send('POST', endpointPaths[endpoint], {
      key,
      body: { model, max_tokens: 1, ...body, ...without[endpoint] },
    })
    expect([reply.status, reply.json()]).toEqual([
      400,
      {
        error: {
          message: expect.not.stringMatching(/invalid input|expected|wrong value/i),
          type: 'invalid_request_error',
          param,
          code,
        },
      },
    ])
  })
})

it.each(['engine-crashed', 'generation-failed', 'engine-yielded'])(
  'a failure has one code in whole answers and in streams: %s',
  async (code) => {
    const failing: Engine = {
      state: engine.state,
      complete: (...asked) => engine.complete(...asked),
      // biome-ignore lint/correctness/useYield: it fails before
      async *chat() {
        throw new Failure(code, 'It failed.')
      },
    }
    const late: Engine = {
      ...failing,
      async *chat() {
        yield { type: 'text', text: 'a', tokens: 1 }
        throw new Failure(code, 'It failed.')
      },
    }
    const places = [failing, late].map((engine) => {
      const backend = createEngineBackend({ engine, model: tinyModel })
      return localBackend({
        current: () => ({ backend, capabilities: allCapabilities }),
        trouble: () => '',
        permission: async () => undefined,
      })
    })
    for (const place of places) {
      const other = await openStage([place])
      const secret = other.key()
      const ask = (stream: boolean) =>
        other.send('POST', endpointPaths.chat, { key: secret, body: { model, messages, stream, max_tokens: 1 } })
      const expected = { error: { code: code.replaceAll('-', '_'), type: 'server_error', param: null } }
      expect((await ask(false)).json()).toMatchObject(expected)
      const streamed = (await ask(true)).text.trimEnd()
      const last =
        streamed
          .split('\n\n')
          .at(-1)
          ?.replace(/^data: /, '') ?? ''
      expect(JSON.parse(last)).toMatchObject(expected)
      await other.close()
    }
  },
)

it('a request without a name of its host is refused in the form of the others', async () => {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(stage.port, '127.0.0.1', () => socket.write('GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'))
    let got = ''
    socket.on('data', (part) => {
      got += part
    })
    socket.once('close', () => resolve(got))
    socket.once('error', reject)
  })
  const [head = '', body = ''] = text.split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1\.1 400 /)
  expect(JSON.parse(body)).toEqual({
    error: { message: expect.stringContaining('Host'), type: 'invalid_request_error', param: null, code: 'bad_request' },
  })
})
