import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ChatMessage, EngineEvent, EngineUsage, GenerationOptions, Tool, ToolCall } from './engine.ts'
import { LocalEngine } from './local-engine.ts'
import { tinyGgufFile } from './testing/tiny-gguf.ts'

const entryPath = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
const never = new AbortController().signal
const ask = (content: string): ChatMessage[] => [{ role: 'user', content }]
const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false })

beforeAll(async () => engine.load({ path: await tinyGgufFile(), name: 'tiny' }))
afterAll(() => engine.dispose())

interface Whole {
  text: string
  calls: ToolCall[]
  events: EngineEvent[]
  reason: string
  usage: EngineUsage
}

async function run(messages: ChatMessage[], options: GenerationOptions): Promise<Whole> {
  const events: EngineEvent[] = []
  let text = ''
  const calls: ToolCall[] = []
  for await (const event of engine.chat(messages, options, never)) {
    events.push(event)
    if (event.type === 'text') text += event.text
    if (event.type === 'tool-call') calls.push(event.call)
    if (event.type === 'done') return { text, calls, events, reason: event.reason, usage: event.usage }
  }
  throw new Error('no end')
}

/** The model speaks nonsense: what comes out in a form can only come from the grammar. */
describe('forms of answers', () => {
  it('writes what is valid by the schema, whatever the seed', async () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 12 },
        age: { type: 'integer' },
        count: { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
        grade: { type: 'integer', minimum: 1, maximum: 6 },
        share: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
        cold: { type: 'number', maximum: -2 },
        mood: { enum: ['good', 'bad "so"', null] },
        day: { type: 'string', format: 'date' },
        tags: { type: 'array', items: { type: 'string', maxLength: 6 }, minItems: 1, maxItems: 3 },
        next: { anyOf: [{ $ref: '#/$defs/point' }, { type: 'null' }] },
        extra: { type: 'boolean' },
      },
      required: ['name', 'age', 'count', 'grade', 'share', 'cold', 'mood', 'day', 'tags', 'next'],
      $defs: { point: { type: 'object', properties: { x: { const: 1 } }, required: ['x'], additionalProperties: false } },
    }
    const valid = z.strictObject({
      name: z.string().min(1).max(12),
      age: z.number().int(),
      count: z.int(),
      grade: z.int().min(1).max(6),
      share: z.number().gt(0).max(1),
      cold: z.number().max(-2),
      mood: z.enum(['good', 'bad "so"']).nullable(),
      day: z.iso.date(),
      tags: z.array(z.string().max(6)).min(1).max(3),
      next: z.strictObject({ x: z.literal(1) }).nullable(),
      extra: z.boolean().optional(),
    })
    const seen = new Set<string>()
    for (let seed = 1; seed <= 6; seed++) {
      const { text, reason } = await run(ask('who?'), { temperature: 2, seed, output: { kind: 'json-schema', schema } })
      expect(reason).toBe('stop')
      expect(valid.safeParse(JSON.parse(text)).error).toBeUndefined()
      seen.add(text)
    }
    expect(seen.size).toBeGreaterThan(1)
  })

  it('follows a schema that refers to itself, and refuses one that never ends', async () => {
    const schema = {
      type: 'object',
      properties: { id: { type: 'integer' }, child: { anyOf: [{ type: 'null' }, { $ref: '#' }] } },
      required: ['id', 'child'],
    }
    const { text } = await run(ask('tree'), { temperature: 0, output: { kind: 'json-schema', schema } })
    expect(JSON.parse(text)).toHaveProperty('id')
    const endless = run(ask('x'), { output: { kind: 'json-schema', schema: { $ref: '#' } } })
    await expect(endless).rejects.toMatchObject({ code: 'bad-schema' })
    expect(engine.state.value.status).toBe('ready')
  })

  it('keeps to a grammar of the caller, and refuses what is none', async () => {
    const grammar = 'root ::= ("yes" | "no") ", " [0-9]{3}'
    expect((await run(ask('x'), { temperature: 2, output: { kind: 'grammar', grammar } })).text).toMatch(/^(yes|no), \d{3}$/)
    for (const bad of ['root ::= (', 'other ::= "a"', 'root ::= root "a"', 'root ::= "a"{1000000000}'])
      await expect(run(ask('x'), { output: { kind: 'grammar', grammar: bad } })).rejects.toMatchObject({ code: 'bad-schema' })
    expect((await run(ask('x'), { maxTokens: 2 })).reason).toBe('length')
  })

  it('writes a JSON object when no schema is given', async () => {
    // The model never ends a text by itself: that it is JSON shows at its beginning.
    const { text } = await run(ask('x'), { temperature: 2, seed: 3, maxTokens: 24, output: { kind: 'json' } })
    expect(text).toMatch(/^\{\s*("|\}$)/)
  })

  it('refuses a bad schema before anything is generated', async () => {
    const schema = { type: 'object', properties: { a: { pattern: 'x' } } }
    await expect(run(ask('x'), { output: { kind: 'json-schema', schema } })).rejects.toMatchObject({
      code: 'bad-schema',
      message: expect.stringContaining('/properties/a/pattern'),
    })
  })
})

const weather: Tool = {
  name: 'get_weather',
  description: 'The weather of a city',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string', maxLength: 8 }, days: { type: 'integer' } },
    required: ['city', 'days'],
  },
}
const clock: Tool = { name: 'clock' }

describe('tools', () => {
  it('calls a tool with valid arguments when it must', async () => {
    expect(engine.capabilities).toMatchObject({ tools: true, parallelToolCalls: false })
    for (let seed = 1; seed <= 3; seed++) {
      const named = await run(ask('Rome?'), {
        seed,
        temperature: 2,
        tools: [clock, weather],
        toolChoice: { name: 'get_weather' },
      })
      expect(named).toMatchObject({ text: '', reason: 'stop', calls: [{ name: 'get_weather' }] })
      const args = z
        .strictObject({ city: z.string().max(8), days: z.number().int() })
        .parse(JSON.parse(named.calls[0]?.arguments ?? ''))
      expect(args.city).toBeDefined()
      const any = await run(ask('Rome?'), { seed, temperature: 2, tools: [clock, weather], toolChoice: 'required' })
      expect(['clock', 'get_weather']).toContain(any.calls[0]?.name)
      expect(new Set([...named.calls, ...any.calls].map(({ id }) => id)).size).toBe(2)
    }
  })

  it('tells the model of the tools unless it may call none, and of earlier calls with their results', async () => {
    const count = async (messages: ChatMessage[], options: GenerationOptions): Promise<number> =>
      (await run(messages, { maxTokens: 1, ...options })).usage.promptTokens
    const plain = await count(ask('Rome?'), {})
    expect(await count(ask('Rome?'), { tools: [weather] })).toBeGreaterThan(plain + 20)
    expect(await count(ask('Rome?'), { tools: [weather], toolChoice: 'none' })).toBe(plain)
    const call = { id: 'c1', name: 'get_weather', arguments: '{"city":"Rome","days":1}' }
    const history: ChatMessage[] = [
      ...ask('Rome?'),
      { role: 'assistant', content: '', toolCalls: [call] },
      { role: 'tool', toolCallId: 'c1', content: '{"sky":"blue"}' },
    ]
    expect(await count(history, { tools: [weather] })).toBeGreaterThan(plain + 40)
  })

  it('refuses calls without results, results without calls, and choices that are not there', async () => {
    const call = { id: 'c1', name: 'get_weather', arguments: '{}' }
    const tools = [weather]
    const bad: [ChatMessage[], GenerationOptions][] = [
      [[...ask('x'), { role: 'assistant', content: '', toolCalls: [call] }], { tools }],
      [[...ask('x'), { role: 'tool', toolCallId: 'c1', content: 'x' }], { tools }],
      [ask('x'), { tools, toolChoice: { name: 'other' } }],
      [ask('x'), { tools: [weather, weather] }],
      [ask('x'), { tools: [], toolChoice: 'required' }],
      [ask('x'), { tools, output: { kind: 'json' } }],
      [ask('x'), { tools: [{ name: 'a b' }] }],
    ]
    for (const [messages, options] of bad) await expect(run(messages, options)).rejects.toMatchObject({ code: 'bad-request' })
    const schema = run(ask('x'), { tools: [{ name: 'a', parameters: { type: 'object', properties: { x: { pattern: 'x' } } } }] })
    await expect(schema).rejects.toMatchObject({ code: 'bad-schema' })
  })
})

describe('sampling', () => {
  it('tells how likely the tokens were', async () => {
    const options = { maxTokens: 12, temperature: 0, seed: 1 }
    const plain = await run(ask('Hello'), options)
    const told = await run(ask('Hello'), { ...options, logprobs: 3 })
    expect(told.text).toBe(plain.text)
    const all = told.events.flatMap((event) => (event.type === 'text' ? (event.logprobs ?? []) : []))
    expect(all).toHaveLength(12)
    for (const { text, logprob, top } of all) {
      expect(logprob).toBeLessThanOrEqual(0)
      expect(top[0]?.text).toBe(text)
      expect(top.length).toBeLessThanOrEqual(3)
    }
    expect(plain.events.some((event) => event.type === 'text' && event.logprobs !== undefined)).toBe(false)
    const warm = await run(ask('Hello'), { ...options, temperature: 1, topK: 0, topP: 1, minP: 0, logprobs: 5 })
    const [first] = warm.events.flatMap((event) => (event.type === 'text' ? (event.logprobs ?? []) : []))
    expect(first?.top).toHaveLength(5)
    const chances = first?.top.map(({ logprob }) => logprob) ?? []
    expect(chances).toEqual([...chances].sort((a, b) => b - a))
    expect(chances.reduce((sum, value) => sum + Math.exp(value), 0)).toBeLessThanOrEqual(1.001)
  })

  it('leans to tokens and away from them as it is told', async () => {
    const say = async (logitBias: Record<string, number>): Promise<string> =>
      (await run(ask('Say'), { maxTokens: 1, temperature: 0, logitBias })).text
    const [first, second] = [await say({ '300': 100 }), await say({ '301': 100 })]
    // Letters of the tiny vocabulary.
    expect([first.length, second.length]).toEqual([1, 1])
    expect(second).not.toBe(first)
    expect(await say({ '300': -100, '301': 50 })).toBe(second)
    await expect(say({ x: 1 })).rejects.toMatchObject({ code: 'bad-request' })
    // The end of a turn.
    await expect(say({ '4': -100 })).rejects.toMatchObject({ code: 'not-capable', words: { values: { field: 'logitBias' } } })
  })

  it('takes only the likeliest with topK 1', async () => {
    const options = { maxTokens: 12, temperature: 2 }
    const one = await run(ask('Hi'), { ...options, seed: 1, topK: 1 })
    expect((await run(ask('Hi'), { ...options, seed: 2, topK: 1 })).text).toBe(one.text)
    expect((await run(ask('Hi'), { ...options, seed: 1, minP: 1 })).text).toBe(one.text)
    expect((await run(ask('Hi'), { ...options, seed: 1 })).text).not.toBe(one.text)
  })
})

describe('the context', () => {
  const long: ChatMessage[] = Array.from({ length: 40 }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: `${index} ${'z'.repeat(70)}`,
  }))

  it('leaves out the oldest turns when asked, and says how many', async () => {
    const messages: ChatMessage[] = [{ role: 'system', content: 'Be brief.' }, ...long, ...ask('And now?')]
    await expect(run(messages, { maxTokens: 8 })).rejects.toMatchObject({ code: 'context-too-small' })
    const { events, usage } = await run(messages, { maxTokens: 8, whenFull: 'drop-oldest' })
    expect(events[0]).toMatchObject({ type: 'context', promptTokens: usage.promptTokens, contextTokens: 2048 })
    const dropped = events[0]?.type === 'context' ? events[0].droppedMessages : 0
    expect(dropped % 2).toBe(0)
    const kept = [messages[0], ...messages.slice(1 + dropped)].filter((message) => message !== undefined)
    const alone = await run(kept, { maxTokens: 8, whenFull: 'drop-oldest' })
    expect(alone.usage.promptTokens).toBe(usage.promptTokens)
    expect(alone.events[0]?.type).not.toBe('context')
    const one = await run(
      [messages[0], ...messages.slice(dropped - 1)].filter((message) => message !== undefined),
      {
        maxTokens: 8,
        whenFull: 'drop-oldest',
      },
    )
    expect(one.events[0]).toMatchObject({ type: 'context', droppedMessages: 2 })
  })

  it('does not leave out the question itself', async () => {
    const question = [...long.slice(0, 4), ...ask('x'.repeat(3000))]
    await expect(run(question, { whenFull: 'drop-oldest' })).rejects.toMatchObject({ code: 'context-too-small' })
  })
})
