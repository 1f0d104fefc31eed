import { AIMessageChunk, HumanMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { LocalEngine } from '../inference/local-engine.ts'
import { engineBackend, openStage, type Stage, tinyEngine, tinyModel } from './testing/gateway-stage.ts'

/** The clients that programs use, unchanged, over a real socket, with a real engine behind. */
let engine: LocalEngine
let stage: Stage
let client: OpenAI
const model = `local/${tinyModel}`
const messages = [{ role: 'user' as const, content: 'Say something.' }]

beforeAll(async () => {
  engine = await tinyEngine()
  stage = await openStage([engineBackend(engine)])
})
afterAll(async () => {
  await stage?.close()
  await engine?.dispose()
})
beforeEach(() => {
  client = new OpenAI({ apiKey: stage.key(), baseURL: `http://127.0.0.1:${stage.port}/v1` })
})

async function refused(asking: Promise<unknown>) {
  const error = await asking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof OpenAI.APIError)) throw new Error('The client got no error of the API.', { cause: error })
  return { status: error.status, code: error.code, param: error.param, type: error.type }
}

describe('the openai client', () => {
  it('lists the models and what they can do', async () => {
    const list = await client.models.list()
    expect(list.data).toMatchObject([
      { id: model, object: 'model', owned_by: 'cocoon', level: 'computer', capabilities: { chat_completions: true } },
    ])
    expect(await client.models.retrieve(model)).toEqual(list.data[0])
    expect(await refused(client.models.retrieve('local/none'))).toMatchObject({ status: 404, code: 'model_not_found' })
  })

  it('gets a whole answer with exact counts', async () => {
    const { data, response } = await client.chat.completions
      .create({ model, messages, max_tokens: 8, temperature: 0 })
      .withResponse()
    expect(data).toMatchObject({ object: 'chat.completion', model, choices: [{ index: 0, finish_reason: 'length' }] })
    expect(data.choices[0]?.message.content?.length).toBeGreaterThan(0)
    expect(data.usage).toMatchObject({ completion_tokens: 8, total_tokens: (data.usage?.prompt_tokens ?? 0) + 8 })
    expect([response.headers.get('x-cocoon-level'), response.headers.get('x-cocoon-cost-nano')]).toEqual(['computer', '0'])
  })

  it('streams the same answer, with the usage only when it asks', async () => {
    const whole = await client.chat.completions.create({ model, messages, max_tokens: 12, temperature: 0 })
    for (const include_usage of [true, false]) {
      const stream = await client.chat.completions.create({
        model,
        messages,
        max_tokens: 12,
        temperature: 0,
        stream: true,
        ...(include_usage && { stream_options: { include_usage } }),
      })
      let text = ''
      const usages: unknown[] = []
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? ''
        if ('usage' in chunk) usages.push(chunk.usage)
        expect(chunk.model).toBe(model)
      }
      expect(text).toBe(whole.choices[0]?.message.content)
      expect(usages.at(-1)).toEqual(include_usage ? expect.objectContaining({ completion_tokens: 12 }) : undefined)
      expect(usages.length === 0).toBe(!include_usage)
    }
  })

  it('completes a text, stops at a stop string, and repeats a seed', async () => {
    const options = { model, prompt: 'the first', max_tokens: 12, temperature: 1, seed: 7 }
    const [one, other] = [await client.completions.create(options), await client.completions.create(options)]
    expect(one.choices[0]?.text).toBe(other.choices[0]?.text)
    expect(one).toMatchObject({ object: 'text_completion', model })
    // As OpenAI's reference has it where nobody says how long.
    const unsaid = await client.completions.create({ model, prompt: 'the first', temperature: 0 })
    expect(unsaid).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 16 } })
    const [, second] = (one.choices[0]?.text ?? '').trim().split(' ')
    const stopped = await client.completions.create({ ...options, stop: ` ${second}` })
    expect(stopped.choices[0]).toMatchObject({ finish_reason: 'stop', text: expect.not.stringContaining(` ${second}`) })
  })

  it('is told what is wrong in errors of its own classes', async () => {
    const ask = (more: object) => refused(client.chat.completions.create({ model, messages, max_tokens: 4, ...more }))
    expect(await ask({ model: 'gpt-9' })).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
    expect(await ask({ functions: [{ name: 'f' }] })).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'functions',
    })
    expect(await ask({ reasoning_effort: 'high' })).toMatchObject({ status: 400, param: 'reasoning_effort' })
    expect(await ask({ temperature: 9 })).toMatchObject({ status: 400, param: 'temperature', type: 'invalid_request_error' })
    const long = 'word '.repeat(5_000)
    expect(await ask({ messages: [{ role: 'user', content: long }] })).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    })
    client.apiKey = 'sk-cocoon-wrong'
    await expect(client.models.list()).rejects.toThrow(OpenAI.AuthenticationError)
  })

  it('wakes a model that had given its memory back', async () => {
    await engine.sleep()
    expect(engine.state.value.status).toBe('asleep')
    expect((await client.models.list()).data).toMatchObject([{ id: model, capabilities: { chat_completions: true } }])
    const answer = await client.chat.completions.create({ model, messages, max_tokens: 2 })
    expect(answer.usage?.completion_tokens).toBe(2)
  })

  it('that gives up an answer ends the generation, and the tokens until then are counted', async () => {
    const stream = await client.chat.completions.create({ model, messages, max_tokens: 1_500, stream: true })
    let chunks = 0
    for await (const _chunk of stream) if (++chunks === 5) break
    await expect.poll(() => stage.gateway.view().running).toBe(0)
    const [last] = stage.gateway.view().recent
    expect(last).toMatchObject({ status: 499, level: 'computer', cost: null })
    expect(last?.completionTokens).toBeGreaterThan(3)
    expect(last?.completionTokens).toBeLessThan(1_000)
    const control = new AbortController()
    const whole = client.chat.completions.create({ model, messages, max_tokens: 1_500 }, { signal: control.signal })
    const aborted = expect(whole).rejects.toThrow(OpenAI.APIUserAbortError)
    await expect.poll(() => stage.gateway.view().running).toBe(1)
    control.abort()
    await aborted
    await expect.poll(() => stage.gateway.view().running).toBe(0)
    const [next, before] = stage.gateway.view().recent
    expect(next).toMatchObject({ status: 499 })
    expect(next?.id).not.toBe(last?.id)
    expect(before?.id).toBe(last?.id)
  })

  it('gets JSON, log probabilities, tool calls and embeddings, as far as the model can', async () => {
    expect(engine.capabilities).toMatchObject({ json: true, jsonSchema: true, tools: true, embeddings: true })
    const create = client.chat.completions.create.bind(client.chat.completions)
    const schema = {
      type: 'object',
      properties: { zeta: { type: 'boolean' }, alpha: { enum: ['x', 'y'] } },
      required: ['zeta', 'alpha'],
    }
    const formed = await create({
      model,
      messages,
      max_tokens: 100,
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
    })
    const value = JSON.parse(formed.choices[0]?.message.content ?? '')
    // In the order of the schema.
    expect(Object.keys(value)).toEqual(['zeta', 'alpha'])
    expect([typeof value.zeta, ['x', 'y'].includes(value.alpha)]).toEqual(['boolean', true])
    const likely = await create({ model, messages, max_tokens: 4, logprobs: true, top_logprobs: 2 })
    expect(likely.choices[0]?.logprobs?.content?.map(({ top_logprobs }) => top_logprobs.length)).toEqual([2, 2, 2, 2])
    const parameters = { type: 'object', properties: { kind: { enum: ['sun', 'rain'] } }, required: ['kind'] }
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }]
    const called = await create({ model, messages, tools, tool_choice: 'required', max_tokens: 200 })
    expect(called.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ type: 'function', function: { name: 'weather' } }] },
    })
    const [call] = called.choices[0]?.message.tool_calls ?? []
    if (call?.type !== 'function') throw new Error('There is no call.')
    expect(JSON.parse(call.function.arguments)).toEqual({ kind: expect.stringMatching(/^(sun|rain)$/) })
    const after = await create({
      model,
      max_tokens: 4,
      tools,
      messages: [
        ...messages,
        called.choices[0]?.message ?? messages[0],
        { role: 'tool', tool_call_id: call.id, content: 'warm' },
      ],
    } as Parameters<typeof create>[0])
    expect(after).toMatchObject({ object: 'chat.completion' })
    const { data, usage } = await client.embeddings.create({ model, input: ['one', 'two'] })
    expect(data.map(({ embedding }) => embedding.length)).toEqual([256, 256])
    expect(data[0]?.embedding.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(1, 2)
    expect(usage.prompt_tokens).toBeGreaterThan(0)
    expect(await refused(client.embeddings.create({ model, input: 'x', dimensions: 4 }))).toMatchObject({ param: 'dimensions' })
  })

  it('gets whole numbers between bounds, as its helper for zod states them', async () => {
    const form = z.object({ age: z.int(), score: z.int().min(1).max(5), share: z.number().min(0).max(1) })
    const parsed = await client.chat.completions.parse({ model, messages, response_format: zodResponseFormat(form, 'answer') })
    // The client itself checks it.
    expect(parsed.choices[0]?.message.parsed).toMatchObject({ age: expect.any(Number), score: expect.any(Number) })
  })

  it('shares no cached prompt with another key', async () => {
    const long = [
      { role: 'user' as const, content: 'there will be many words in this one so that a cache would show '.repeat(6) },
    ]
    const cached = async (key: string, content: typeof long): Promise<number> => {
      client.apiKey = key
      const { usage } = await client.chat.completions.create({ model, messages: content, max_tokens: 1 })
      return usage?.prompt_tokens_details?.cached_tokens ?? 0
    }
    const [one, other] = [stage.key(), stage.key()]
    await cached(one, long)
    const longer = (end: string): typeof long => [{ role: 'user', content: `${long[0]?.content ?? ''} ${end}` }]
    expect(await cached(one, longer('and again'))).toBeGreaterThan(50)
    expect(await cached(other, longer('and more'))).toBeLessThan(20)
  })
})

describe('LangChain', () => {
  const chat = (more: object = {}) =>
    new ChatOpenAI({
      model,
      maxTokens: 8,
      temperature: 0,
      apiKey: stage.key(),
      configuration: { baseURL: `http://127.0.0.1:${stage.port}/v1` },
      ...more,
    })

  it('asks and streams', async () => {
    const answer = await chat().invoke([new HumanMessage('Say something.')])
    expect(String(answer.content).length).toBeGreaterThan(0)
    expect(answer.usage_metadata).toMatchObject({ output_tokens: 8 })
    let text = ''
    let usage: unknown
    for await (const chunk of await chat({ streamUsage: true }).stream('Say something.')) {
      expect(chunk).toBeInstanceOf(AIMessageChunk)
      text += String(chunk.content)
      usage = chunk.usage_metadata ?? usage
    }
    expect(text).toBe(answer.content)
    expect(usage).toMatchObject({ output_tokens: 8 })
  })

  it('calls tools', async () => {
    const weather = tool(() => 'warm', {
      name: 'weather',
      schema: z.object({ kind: z.enum(['sun', 'rain']), days: z.int().positive() }),
    })
    const answer = await chat({ maxTokens: 200 }).bindTools([weather], { tool_choice: 'required' }).invoke('Say something.')
    expect(answer.tool_calls).toMatchObject([
      { name: 'weather', args: { kind: expect.stringMatching(/^(sun|rain)$/), days: expect.any(Number) } },
    ])
  })

  it('is told what cannot be done', async () => {
    await expect(chat({ modelKwargs: { reasoning_effort: 'high' } }).invoke('x')).rejects.toThrow(/reasoning_effort/)
  })
})
