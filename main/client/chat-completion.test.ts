import { describe, expect, it } from 'vitest'
import { type ChatEvent, readChatCompletion } from './chat-completion.ts'

const encoder = new TextEncoder()

async function read(chunks: readonly Uint8Array[]): Promise<ChatEvent[]> {
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks
  }
  const events: ChatEvent[] = []
  for await (const event of readChatCompletion(body())) events.push(event)
  return events
}
const textOf = (events: readonly ChatEvent[]): string => events.map((event) => (event.type === 'text' ? event.text : '')).join('')

const stream = [
  ': comment\n\n',
  'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n',
  'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n',
  'data: {"choices":[{"delta":{"content":"Grüße"}}]}\n\n',
  'data: {"choices":[{"delta":{"content":" 😊"},"finish_reason":"stop"}]}\n\n',
  'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3},"total_cost":860}}\n\n',
  'data: [DONE]\n\n',
].join('')
const expected: ChatEvent[] = [
  { type: 'reasoning', text: 'hm' },
  { type: 'text', text: 'Grüße' },
  { type: 'text', text: ' 😊' },
  { type: 'finish', reason: 'stop' },
  { type: 'usage', promptTokens: 11, cachedTokens: 3, completionTokens: 4, reasoningTokens: 0, totalCost: 860n },
]

describe('a chat completion', () => {
  it('is read from server-sent events cut at every byte, in one part, and byte by byte', async () => {
    const bytes = encoder.encode(stream)
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(await read([bytes.slice(0, cut), bytes.slice(cut)])).toEqual(expected)
    }
    expect(await read([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(expected)
  })

  it('is read from one JSON document and from newline-delimited ones', async () => {
    const document =
      '{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"Hello","role":"assistant"}}],"usage":{"prompt_tokens":2,"completion_tokens":1}}\n'
    for (let cut = 0; cut <= document.length; cut += 7) {
      const events = await read([encoder.encode(document.slice(0, cut)), encoder.encode(document.slice(cut))])
      expect(textOf(events)).toBe('Hello')
      expect(events.at(-1)).toMatchObject({ type: 'usage', promptTokens: 2, completionTokens: 1 })
    }
    const lines = ['{"choices":[{"delta":{"content":"a"}}]}\n', '{"choices":[{"delta":{"content":"b"}}]}\n']
    expect(textOf(await read(lines.map((line) => encoder.encode(line))))).toBe('ab')
  })

  it('gives text as soon as its event is complete', async () => {
    let release: (() => void) | undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield encoder.encode('data: {"choices":[{"delta":{"content":"first"}}]}\n\n')
      await held
      yield encoder.encode('data: [DONE]\n\n')
    }
    const reader = readChatCompletion(body())
    expect((await reader.next()).value).toEqual({ type: 'text', text: 'first' })
    release?.()
    expect((await reader.next()).done).toBe(true)
  })

  it('ends early without a complaint where a stopped stream does', async () => {
    expect(textOf(await read([encoder.encode('data: {"choices":[{"delta":{"content":"half"}}]}\n\n')]))).toBe('half')
    expect(await read([])).toEqual([])
  })

  it.each([
    ['a JSON value', `{"a":"${'x'.repeat(1 << 20)}`, 'x'.repeat(1 << 20)],
    ['a server-sent event', 'data: ', 'x'.repeat(1 << 20)],
    ['white space', ' ', ' '.repeat(1 << 16)],
  ])('gives up %s that never ends, before it fills the memory', async (_name, first, more) => {
    let chunks = 0
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield encoder.encode(first)
      for (; chunks < 32; chunks++) yield encoder.encode(more)
    }
    const readAll = async (): Promise<void> => {
      for await (const _ of readChatCompletion(body()));
    }
    await expect(readAll()).rejects.toMatchObject({ code: 'answer-malformed' })
    expect(chunks).toBeLessThan(12)
  })

  it.each([
    ['{"choices":', 'answer-malformed'],
    ['data: {nonsense}\n\n', 'answer-malformed'],
    ['{"error":{"code":500,"message":"boom"}}\n', 'engine-refused'],
    ['data: {"error":{"message":"context too small"}}\n\n', 'engine-refused'],
  ])('refuses %j', async (body, code) => {
    await expect(read([encoder.encode(body)])).rejects.toMatchObject({ code })
  })
})
