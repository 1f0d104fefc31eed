import { describe, expect, it } from 'vitest'
import { type EngineCapabilities, noCapabilities } from '../inference/capabilities.ts'
import { type Endpoint, readApiRequest } from './api-request.ts'
import { checkFields, withoutHints } from './fields.ts'
import { ApiRefusal } from './refusal.ts'
import { allCapabilities } from './testing/gateway-stage.ts'
import { names, wrongRequests } from './testing/wrong-values.ts'

const plain = { ...noCapabilities, chat: true, complete: true, stop: true, seed: true, penalties: true }
const messages = [{ role: 'user', content: 'hi' }]

/** The sentences of all refusals. */
const told: string[] = []

/** What a request is refused with; null when it is taken. */
function refusal(
  endpoint: Endpoint,
  body: object | string,
  can: EngineCapabilities | null = plain,
): { param: string | null; code: string | null } | null {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  try {
    checkFields(readApiRequest(endpoint, new TextEncoder().encode(text)), can)
    return null
  } catch (thrown) {
    if (!(thrown instanceof ApiRefusal)) throw thrown
    told.push(thrown.message)
    return { param: thrown.param, code: thrown.code }
  }
}
const chat = (fields: object, can: EngineCapabilities | null = plain) => refusal('chat', { model: 'm', messages, ...fields }, can)

describe('a request that the model cannot serve', () => {
  const tool = { type: 'function', function: { name: 'f', parameters: {} } }
  const schema = { type: 'json_schema', json_schema: { name: 'x', schema: {} } }
  const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }
  it.each([
    [{ tools: [tool] }, 'tools'],
    [{ tools: [tool], tool_choice: 'required' }, 'tools'],
    [{ functions: [{ name: 'f' }] }, 'functions'],
    [{ function_call: 'auto' }, 'function_call'],
    [{ response_format: { type: 'json_object' } }, 'response_format'],
    [{ response_format: schema }, 'response_format'],
    [{ logprobs: true }, 'logprobs'],
    [{ logit_bias: { '5': 1 } }, 'logit_bias'],
    [{ n: 2 }, 'n'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ audio: { voice: 'alloy', format: 'wav' } }, 'audio'],
    [{ prediction: { type: 'content', content: 'x' } }, 'prediction'],
    [{ reasoning_effort: 'high' }, 'reasoning_effort'],
    [{ verbosity: 'low' }, 'verbosity'],
    [{ top_k: 5 }, 'top_k'],
    [{ min_p: 0.1 }, 'min_p'],
    [{ reasoning_format: 'deepseek' }, 'reasoning_format'],
    [{ messages: [{ role: 'user', content: 'x', name: 'Ann' }] }, 'messages[0].name'],
    [{ messages: [{ role: 'assistant', content: 'x', refusal: 'no' }] }, 'messages[0].refusal'],
    [{ web_search_options: {} }, 'web_search_options'],
    [{ service_tier: 'priority' }, 'service_tier'],
    [{ messages: [{ role: 'tool', tool_call_id: '1', content: 'x' }] }, 'messages[0].role'],
    [
      { messages: [{ role: 'assistant', content: null, tool_calls: [{ id: '1', function: { name: 'f', arguments: '' } }] }] },
      'messages[0].tool_calls',
    ],
    [{ messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }, picture] }] }, 'messages[0].content[1]'],
  ])('%o is refused by the name of its field', (fields, param) => {
    expect(chat(fields)).toEqual({ param, code: 'unsupported_parameter' })
  })

  it('is taken where the model can serve it', () => {
    const able = {
      tools: [tool],
      tool_choice: 'required',
      parallel_tool_calls: true,
      reasoning_format: 'deepseek',
      top_k: 5,
      min_p: 0.1,
      response_format: schema,
      logprobs: true,
      top_logprobs: 20,
      logit_bias: { '5': 1 },
      n: 4,
      seed: 1,
      messages: [{ role: 'user', content: [picture] }],
    }
    expect(chat(able, allCapabilities)).toBeNull()
    expect(chat({ tools: [tool], parallel_tool_calls: false }, allCapabilities)?.param).toBe('parallel_tool_calls')
    expect(chat({ tools: [tool], parallel_tool_calls: false }, { ...allCapabilities, parallelToolCalls: false })).toBeNull()
    expect(chat({ logprobs: true, top_logprobs: 21 }, allCapabilities)?.param).toBe('top_logprobs')
    expect(chat({ n: 5 }, allCapabilities)?.param).toBe('n')
    expect(chat({ seed: 1 }, noCapabilities)).toEqual({ param: 'model', code: 'unsupported_endpoint' })
    expect(chat({ seed: 1 }, { ...noCapabilities, chat: true })?.param).toBe('seed')
    expect(chat({ stop: ['a'] }, { ...noCapabilities, chat: true })?.param).toBe('stop')
    expect(chat({ presence_penalty: 1 }, { ...noCapabilities, chat: true })?.param).toBe('presence_penalty')
    expect(refusal('embeddings', { model: 'm', input: 'x' })).toEqual({ param: 'model', code: 'unsupported_endpoint' })
    expect(refusal('embeddings', { model: 'm', input: 'x', dimensions: 5 }, allCapabilities)?.param).toBe('dimensions')
  })

  it('an unknown field is named, never dropped', () => {
    expect(chat({ temprature: 1 })).toEqual({ param: 'temprature', code: 'unknown_parameter' })
    expect(chat({ messages: [{ role: 'user', content: 'x', colour: 1 }] })).toEqual({
      param: 'messages[0].colour',
      code: 'unknown_parameter',
    })
    const call = { id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }
    const tool = { type: 'function', function: { name: 'f', parameters: {}, strict: true } }
    const format = (more: object) => ({ type: 'json_schema', json_schema: { name: 'x', strict: true, schema: {}, ...more } })
    const user = (more: object) => [{ role: 'user', content: [{ type: 'text', text: 'x', ...more }] }]
    const assistant = (one: object) => [{ role: 'assistant', content: null, tool_calls: [one] }, ...messages]
    for (const taken of [
      { tools: [tool], tool_choice: { type: 'function', function: { name: 'f' } } },
      { response_format: format({ description: 'd' }) },
      { messages: user({ cache_control: null }) },
      { messages: assistant({ ...call, index: 0 }) },
      { messages: [{ role: 'user', content: 'x', tool_calls: [], tool_call_id: null }] },
    ])
      expect(chat(taken, allCapabilities)).toBeNull()
    for (const [body, param] of [
      [{ messages: user({ cache_control: { type: 'ephemeral' } }) }, 'messages[0].content[0].cache_control'],
      [{ messages: assistant({ ...call, colour: 1 }) }, 'messages[0].tool_calls[0].colour'],
      [{ tools: [{ ...tool, cache_control: {} }] }, 'tools[0].cache_control'],
      [{ tools: [{ type: 'function', function: { name: 'f', colour: 1 } }] }, 'tools[0].function.colour'],
      [{ tools: [tool], tool_choice: { type: 'function', function: { name: 'f', x: 1 } } }, 'tool_choice.function.x'],
      [{ response_format: { type: 'json_object', schema: {} } }, 'response_format.schema'],
      [{ response_format: format({ colour: 1 }) }, 'response_format.json_schema.colour'],
    ] as const)
      expect(chat(body, allCapabilities)).toEqual({ param, code: 'unknown_parameter' })
    expect(chat({ messages: [{ role: 'user', content: 'x', tool_call_id: '1' }] }, allCapabilities)?.param).toBe(
      'messages[0].tool_call_id',
    )
    expect(chat({ messages: [{ role: 'user', content: 'x', tool_calls: [call] }] }, allCapabilities)?.param).toBe(
      'messages[0].tool_calls',
    )
    for (const name of ['constructor', 'toString', 'hasOwnProperty'])
      expect(chat({ [name]: 1 })).toEqual({ param: name, code: 'unknown_parameter' })
    expect(refusal('chat', '{"model":"m","messages":[{"role":"user","content":"x"}],"__proto__":{"tools":[]}}')?.code).toBe(
      'unknown_parameter',
    )
    expect(refusal('completions', { model: 'm', prompt: 'x', messages })?.param).toBe('messages')
  })

  it('what asks for nothing beside the usual is taken: empty lists, nulls, false, and hints', () => {
    const usual = {
      tools: [],
      tool_choice: 'none',
      logit_bias: {},
      logprobs: false,
      n: 1,
      response_format: { type: 'text' },
      frequency_penalty: 0,
      modalities: ['text'],
      service_tier: 'auto',
      store: false,
      user: 'u',
      metadata: { a: 'b' },
      safety_identifier: 's',
      audio: null,
      prediction: null,
    }
    expect(chat(usual)).toBeNull()
    expect(withoutHints('chat', usual)).not.toHaveProperty('user')
    expect(withoutHints('chat', usual)).toHaveProperty('store')
    expect(refusal('completions', { model: 'm', prompt: 'x', echo: false, best_of: 1, suffix: '', logprobs: null })).toBeNull()
  })
})

describe('a wrong value', () => {
  it('is refused by its field, whatever the model can do, and also while that is not known', () => {
    expect(wrongRequests.length).toBeGreaterThan(500)
    for (const { endpoint, param, body } of wrongRequests)
      for (const can of [allCapabilities, null]) {
        const found = refusal(endpoint, { model: 'm', ...body }, can)
        // What no model here takes, or only some do, is asked of one that is known.
        if (found === null && can === null) continue
        expect(names(found?.param, param), `${JSON.stringify(body)} of ${endpoint}: ${found?.param}`).toBe(true)
        expect(found?.code).toMatch(/^(invalid_value|unsupported_parameter|unknown_parameter)$/)
      }
    expect(told.filter((message) => /has a wrong value|undefined|invalid input/i.test(message))).toEqual([])
    const typed = { temperature: 'hot', user: 5, tools: 'str', stop: [''], messages: [{ role: 'tool', content: 'x' }] }
    for (const [name, value] of Object.entries(typed)) expect(chat({ [name]: value }, null)?.code).toBe('invalid_value')
  })

  it('is none: everything that OpenAI’s reference gives as an example', () => {
    for (const more of [
      { temperature: 0, top_p: 1, presence_penalty: -2, frequency_penalty: 2, seed: -5, stop: '\n' },
      { stop: ['a', 'b'], user: '', metadata: { a: 'b' }, prompt_cache_key: 'k', prompt_cache_retention: '24h' },
      { logit_bias: { 50256: -100 }, parallel_tool_calls: true, modalities: ['text'], safety_identifier: 'id' },
      { stop: [], top_k: 0, min_p: 0 },
    ])
      expect(chat(more, allCapabilities)).toBeNull()
    for (const prompt of ['x', '', ['a', 'b'], [1, 2], [[1], [2]]])
      expect(refusal('completions', { model: 'm', prompt, logprobs: 5 }, allCapabilities)).toBeNull()
    for (const input of ['x', ['a', 'b'], [1, 2], [[1], [2]]])
      expect(refusal('embeddings', { model: 'm', input, encoding_format: 'base64' }, allCapabilities)).toBeNull()
    expect(refusal('embeddings', { model: 'm', input: Array(2049).fill('x') }, allCapabilities)?.param).toBe('input')
  })
})

describe('a body that is no request', () => {
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
  it.each([
    ['', null],
    ['null', null],
    ['[]', null],
    ['"x"', null],
    ['{"model"', null],
    ['{}', 'model'],
    ['{"model":5}', 'model'],
    ['{"model":""}', 'model'],
    ['{"model":null}', 'model'],
    ['{"model":"m"}', 'messages'],
    ['{"model":"m","messages":null}', 'messages'],
    ['{"model":"m","messages":[]}', 'messages'],
    ['{"model":"m","messages":{}}', 'messages'],
    ['{"model":"m","messages":["hi"]}', 'messages[0]'],
    ['{"model":"m","messages":[null]}', 'messages[0]'],
    ['{"model":"m","messages":[{"role":"god","content":"x"}]}', 'messages[0].role'],
    ['{"model":"m","messages":[{"role":"user"}]}', 'messages[0].content'],
    ['{"model":"m","messages":[{"role":"user","content":5}]}', 'messages[0].content'],
    ['{"model":"m","messages":[{"role":"user","content":["x"]}]}', 'messages[0].content[0]'],
    ['{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}', 'messages[0].content[0]'],
    ['{"model":"m","messages":[{"role":"assistant","content":null}]}', 'messages[0].content'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"yes"}', 'stream'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"stream_options":{"include_usage":true}}', 'stream_options'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"x":1}}', 'stream_options'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}', 'max_tokens'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":1e300}', 'max_tokens'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"max_completion_tokens":-1}', 'max_completion_tokens'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"n":1.5}', 'n'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"store":true}', 'store'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":"required"}', 'tool_choice'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"top_logprobs":2}', 'top_logprobs'],
    ['{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":"json"}', 'response_format'],
    [`{"model":"m","messages":${deep(101)}}`, null],
    [deep(200_000), null],
    [`{"a":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`, null],
  ])('%.90s is refused with its field', (text, param) => {
    const found = refusal('chat', text, allCapabilities)
    expect(found).not.toBeNull()
    expect(found?.param).toBe(param)
  })

  it('brackets inside strings are no depth', () => {
    expect(chat({ messages: [{ role: 'user', content: `\\"${'['.repeat(500)}` }] })).toBeNull()
  })

  it('that is not UTF-8 is refused', () => {
    expect(() => readApiRequest('chat', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]))).toThrow(/not valid JSON/)
  })
})
