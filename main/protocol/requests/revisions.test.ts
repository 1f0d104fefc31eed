import { describe, expect, it } from 'vitest'
import { readSealed, validateRequest } from './validate-request.ts'

const path = '/v1/chat/completions'
const chat = (fields: object, messages: unknown = []): string => JSON.stringify({ model: 'M', messages, ...fields })
const newest = (body: string): string => validateRequest(path, body, 'newest').body

const added = {
  audio: { voice: 'v', format: 'wav' },
  logprobs: true,
  modalities: ['text'],
  prompt_cache_key: 'k',
  prompt_cache_retention: '24h',
  safety_identifier: 's',
  seed: -5,
  service_tier: 1,
  store: false,
  user: 'u',
  skip_special_tokens: false,
}

describe('what newer revisions take', () => {
  it.each(Object.entries(added))('%s', (name, value) => {
    const body = chat({ [name]: value })
    expect(JSON.parse(newest(body))).toEqual({ model: 'M', messages: [], [name]: value })
    expect(JSON.parse(validateRequest(path, body).body)).toMatchObject({ [name]: value })
    expect(() => validateRequest(path, body, 'recorded')).toThrow(`unknown option '${name}' in request`)
  })

  it.each([
    ['logprobs', 1],
    ['modalities', 'text'],
    ['modalities', [1]],
    ['seed', 1.5],
    ['service_tier', 'auto'],
    ['store', 'yes'],
    ['user', 7],
    ['audio', []],
  ])('not %s %j', (name, value) => {
    for (const revision of ['newest', 'either'] as const)
      expect(() => validateRequest(path, chat({ [name]: value }), revision)).toThrow(`${name}`)
  })

  it.each(['tools', 'tool_choice', 'functions', 'function_call', 'logit_bias', 'metadata', 'web_search_options'])(
    'none of them takes %s',
    (name) => {
      for (const revision of ['newest', 'either', 'recorded'] as const)
        expect(() => validateRequest(path, chat({ [name]: {} }), revision)).toThrow(`unknown option '${name}'`)
    },
  )

  it('stop is an array there, and may be a string where it is not known who reads it', () => {
    expect(() => newest(chat({ stop: 'x' }))).toThrow('stop must be an array')
    expect(validateRequest(path, chat({ stop: 'x' })).body).toContain('"stop":"x"')
    expect(newest(chat({ stop: ['x'] }))).toContain('"stop":["x"]')
  })
})

describe('messages in newer revisions', () => {
  it.each([
    { role: 'developer', content: 'a' },
    { role: 'system', content: [{ type: 'text', text: 'a' }] },
    { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }], name: 'n' },
    { role: 'user', content: [{ type: 'input_audio', input_audio: { data: '', format: 'wav' } }] },
    { role: 'user', content: [{ type: 'file', file: { file_id: 'f' } }] },
    { role: 'assistant', content: null, tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }], reasoning_content: 'passes' },
    { role: 'tool', content: 'a', tool_call_id: '1' },
    { role: 'function', content: 'a', name: 'f' },
  ])('%j', (message) => expect(JSON.parse(newest(chat({}, [message])))).toEqual({ model: 'M', messages: [message] }))

  it.each([
    ['hi', 'messages[0] must be an object'],
    [{ content: 'a' }, 'messages[0].role must be a string'],
    [{ role: 'robot', content: 'a' }, "unknown role 'robot' in messages[0]"],
    [{ role: 'constructor', content: 'a' }, "unknown role 'constructor'"],
    [{ role: 'user' }, "missing required field 'content' in messages[0]"],
    [{ role: 'user', content: 5 }, 'messages[0].content must be an array or a string'],
    [{ role: 'user', content: [{ type: 'video' }] }, "unknown content type 'video' in messages[0].content[0]"],
    [{ role: 'system', content: [{ type: 'image_url', image_url: { url: 'x' } }] }, "unknown content type 'image_url'"],
    [{ role: 'user', content: [{ type: 'text' }] }, "missing required field 'text' in messages[0].content[0]"],
    [{ role: 'user', content: [{ type: 'image_url', image_url: 'x' }] }, 'image_url must be an object'],
    [{ role: 'assistant', tool_calls: [{ id: 1, type: 'function' }] }, 'messages[0].tool_calls[0].id must be a string'],
    [{ role: 'tool', content: 'a' }, "missing required field 'tool_call_id' in messages[0]"],
  ])('%j is refused', (message, wrong) => {
    const body = chat({}, [message])
    expect(() => newest(body)).toThrow(wrong)
    // Nobody inspected them before.
    expect(() => validateRequest(path, body)).not.toThrow()
    expect(() => validateRequest(path, body, 'recorded')).not.toThrow()
  })
})

describe('rewriting', () => {
  it('stream_options accompany a stream in newer revisions, and make one before', () => {
    const body = chat({ stream_options: { include_usage: true } })
    expect(JSON.parse(newest(body))).toEqual({ model: 'M', messages: [] })
    expect(JSON.parse(validateRequest(path, body, 'recorded').body)).toMatchObject({ stream: true })
    expect(JSON.parse(newest(chat({ stream: true, stream_options: { include_obfuscation: false } })))).toMatchObject({
      stream_options: { include_obfuscation: false, include_usage: true },
    })
  })

  it.each([
    [{ max_tokens: 3 }, 3],
    [{ max_completion_tokens: 4 }, 4],
    [{ max_tokens: 3, max_completion_tokens: 4 }, 4],
  ])('both limits become one: %j', (limits, one) => {
    const body = newest(chat(limits))
    expect(JSON.parse(body)).toMatchObject({ max_tokens: one, max_completion_tokens: one })
    expect(newest(body)).toBe(body)
    const plain = JSON.stringify({ model: 'M', prompt: 'p', max_tokens: 3 })
    expect(JSON.parse(validateRequest('/v1/completions', plain, 'newest').body)).toEqual(JSON.parse(plain))
  })
})

it('of an encrypted request only the model is read', () => {
  const body = chat({ is_encrypted: 'v1', anything: 'ENC_00' }, [{ role: 'ENC_01' }])
  expect(readSealed(path, body)).toEqual({ model: 'M', body })
  expect(() => validateRequest(path, body)).toThrow('unknown option')
  expect(() => readSealed(path, '{"messages":[]}')).toThrow('model must be a string')
  expect(() => readSealed('/v1/embeddings', body)).toThrow('unsupported method')
  expect(() => readSealed(path, '[]')).toThrow('expected json object')
})
