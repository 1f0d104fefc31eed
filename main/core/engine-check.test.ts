import { describe, expect, it } from 'vitest'
import { ApiRefusal } from '../gateway/refusal.ts'
import { checkByEngine } from './engine-check.ts'

const messages = [{ role: 'user', content: 'hi' }]

function refusal(endpoint: 'chat' | 'completions', body: object): object | null {
  try {
    checkByEngine({ endpoint }, JSON.stringify({ model: 'm', ...body }), 'm')
    return null
  } catch (thrown) {
    if (!(thrown instanceof ApiRefusal)) throw thrown
    return { status: thrown.status, param: thrown.param, code: thrown.code }
  }
}
const formed = (schema: unknown) => ({ messages, response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } })

describe('a request that would be paid for', () => {
  it.each([
    ['a schema that is none', 'chat', formed({ type: 'sand' }), 'response_format', 'invalid_json_schema'],
    ['no schema', 'chat', formed(undefined), 'response_format.json_schema.schema', 'invalid_value'],
    ['a temperature of no model', 'chat', { messages, temperature: 9 }, 'temperature', 'invalid_value'],
    [
      'a tool that answers nobody',
      'chat',
      { messages: [{ role: 'tool', content: 'x' }] },
      'messages[0].tool_call_id',
      'invalid_value',
    ],
    ['two prompts', 'completions', { prompt: ['a', 'b'] }, 'prompt', 'invalid_value'],
    ['an empty prompt', 'completions', { prompt: '' }, 'prompt', 'invalid_value'],
    ['numbers of tokens', 'completions', { prompt: [1, 2] }, 'prompt', 'invalid_value'],
  ] as const)('is refused before: %s', (_name, endpoint, body, param, code) => {
    expect(refusal(endpoint, body)).toEqual({ status: 400, param, code })
  })

  it('is taken where the engine takes it', () => {
    expect(refusal('chat', { messages, max_tokens: 5, stream: true, stream_options: { include_usage: true } })).toBeNull()
    expect(refusal('chat', formed({ type: 'object', properties: { a: { type: 'string' } } }))).toBeNull()
    expect(refusal('completions', { prompt: 'a', stop: ['x'] })).toBeNull()
  })
})
