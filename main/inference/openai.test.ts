import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine } from './engine.ts'
import { ExternalBackend } from './external-backend.ts'
import { LocalEngine } from './local-engine.ts'
import { createEngineBackend } from './openai.ts'
import type { BackendResponse, OpenAiBackend } from './openai-backend.ts'
import { tinyGgufFile } from './testing/tiny-gguf.ts'

const entryPath = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false })
const backend = createEngineBackend({ engine, model: 'tiny/random-f32' })

function post(
  target: OpenAiBackend,
  path: string,
  body: object | string,
  signal: AbortSignal = new AbortController().signal,
): Promise<BackendResponse> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return target.handle(
    { method: 'POST', path, headers: [['Content-Type', 'application/json']], body: new TextEncoder().encode(text) },
    signal,
  )
}

async function text(response: BackendResponse): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of response.body) parts.push(part)
  return Buffer.concat(parts).toString()
}

interface Chunk {
  id: string
  object: string
  choices: {
    delta: { role?: string; content?: string; tool_calls?: { function: { arguments: string } }[] }
    text?: string
    logprobs?: unknown
    finish_reason: string | null
  }[]
  usage?: { prompt_tokens: number; completion_tokens: number } | null
}
function events(body: string): Chunk[] {
  return body
    .split('\n\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as Chunk)
}

const hello = {
  model: 'tiny/random-f32',
  messages: [{ role: 'user', content: 'Hello' }],
  max_tokens: 12,
  seed: 5,
  temperature: 1,
}

beforeAll(async () => engine.load({ path: await tinyGgufFile(), name: 'tiny' }))
afterAll(() => engine.dispose())

describe('createEngineBackend', () => {
  it('answers a chat whole, with usage', async () => {
    const response = await post(backend, '/v1/chat/completions', hello)
    expect(response.status).toBe(200)
    const body = JSON.parse(await text(response))
    expect(body).toMatchObject({
      object: 'chat.completion',
      model: 'tiny/random-f32',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'length' }],
      usage: {
        prompt_tokens: 24,
        completion_tokens: 12,
        total_tokens: 36,
        prompt_tokens_details: { cached_tokens: expect.any(Number) },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    })
    expect(body.choices[0].message.content.length).toBeGreaterThan(5)
  })

  it('streams the same answer in events, with usage only when asked', async () => {
    const whole = JSON.parse(await text(await post(backend, '/v1/chat/completions', hello)))
    const plain = await text(await post(backend, '/v1/chat/completions', { ...hello, stream: true }))
    const chunks = events(plain)
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0].message.content)
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('length')
    expect(plain.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(plain).not.toContain('usage')
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1)

    const counted = events(
      await text(
        await post(backend, '/v1/chat/completions', { ...hello, stream: true, stream_options: { include_usage: true } }),
      ),
    )
    expect(counted.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 24, completion_tokens: 12 } })
    expect(counted.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
  })

  it('sends each part when it is generated, not all at the end', async () => {
    const response = await post(backend, '/v1/chat/completions', { ...hello, max_tokens: 150, stream: true })
    const times: number[] = []
    for await (const _ of response.body) times.push(performance.now())
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(50)
    expect(times.length).toBeGreaterThan(100)
  })

  it('continues a plain prompt', async () => {
    const request = { model: 'tiny/random-f32', prompt: 'the day', max_tokens: 5, temperature: 0 }
    const body = JSON.parse(await text(await post(backend, '/v1/completions', request)))
    expect(body).toMatchObject({ object: 'text_completion', choices: [{ text: expect.any(String), finish_reason: 'length' }] })
    const chunks = events(await text(await post(backend, '/v1/completions', { ...request, prompt: ['the day'], stream: true })))
    expect(chunks.map((chunk) => chunk.choices[0]?.text).join('')).toBe(body.choices[0].text)
  })

  it('lets the engine go after each answer, whole or streamed', async () => {
    let open = 0
    const counted: Engine = {
      state: engine.state,
      complete: (...asked) => engine.complete(...asked),
      async *chat(...asked) {
        open++
        try {
          yield* engine.chat(...asked)
        } finally {
          open--
        }
      },
    }
    const target = createEngineBackend({ engine: counted, model: 'tiny/random-f32' })
    for (const stream of [false, true]) {
      expect(await text(await post(target, '/v1/chat/completions', { ...hello, stream }))).toContain('length')
      expect(open).toBe(0)
    }
    const stop = new AbortController()
    const running = post(target, '/v1/chat/completions', { ...hello, max_tokens: 2000 }, stop.signal)
    setTimeout(() => stop.abort(), 100)
    await expect(running).rejects.toMatchObject({ code: 'cancelled' })
    expect(open).toBe(0)
  })

  it('calls tools, whole and streamed', async () => {
    const parameters = { type: 'object', properties: { city: { enum: ['Rome', 'Oslo'] } }, required: ['city'] }
    const request = {
      ...hello,
      max_tokens: 200,
      tools: [{ type: 'function', function: { name: 'weather', description: 'Of a city', parameters } }],
      tool_choice: 'required',
    }
    const body = JSON.parse(await text(await post(backend, '/v1/chat/completions', request)))
    const [{ message, finish_reason }] = body.choices
    expect(finish_reason).toBe('tool_calls')
    expect(message).toMatchObject({ content: null, tool_calls: [{ type: 'function', function: { name: 'weather' } }] })
    const args = JSON.parse(message.tool_calls[0].function.arguments)
    expect(['Rome', 'Oslo']).toContain(args.city)
    const chunks = events(await text(await post(backend, '/v1/chat/completions', { ...request, stream: true })))
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
    const [call] = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])
    expect(call).toMatchObject({ index: 0, type: 'function', function: { name: 'weather' } })
    expect(JSON.parse(call?.function.arguments ?? '')).toEqual(args)
    const answered = {
      ...hello,
      messages: [
        ...hello.messages,
        { role: 'assistant', content: null, tool_calls: message.tool_calls },
        { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'sunny' },
      ],
    }
    const after = JSON.parse(await text(await post(backend, '/v1/chat/completions', answered)))
    expect(after.usage.prompt_tokens).toBeGreaterThan(40)
  })

  it('answers in JSON, by a schema when given one', async () => {
    const ask = async (response_format: object): Promise<unknown> => {
      const response = await post(backend, '/v1/chat/completions', { ...hello, max_tokens: 400, temperature: 0, response_format })
      return JSON.parse(JSON.parse(await text(response)).choices[0].message.content)
    }
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] }
    expect(await ask({ type: 'json_schema', json_schema: { name: 'n', strict: true, schema } })).toEqual({
      ok: expect.any(Boolean),
    })
  })

  it('tells log probabilities in the forms of both endpoints', async () => {
    const chat = { ...hello, temperature: 0, logprobs: true, top_logprobs: 2 }
    const body = JSON.parse(await text(await post(backend, '/v1/chat/completions', chat)))
    const [{ logprobs, message }] = body.choices
    expect(logprobs.content).toHaveLength(12)
    expect(logprobs.content[0]).toMatchObject({
      token: expect.any(String),
      logprob: expect.any(Number),
      bytes: expect.any(Array),
    })
    expect(logprobs.content.map(({ token }: { token: string }) => token).join('')).toContain(message.content.trim().slice(0, 5))
    const plain = { model: hello.model, prompt: 'the day', max_tokens: 4, temperature: 0, logprobs: 2 }
    const old = JSON.parse(await text(await post(backend, '/v1/completions', plain))).choices[0].logprobs
    expect([old.tokens.length, old.token_logprobs.length, old.top_logprobs.length]).toEqual([4, 4, 4])
    // Each token stands in the answer where it is said to.
    const whole = JSON.parse(await text(await post(backend, '/v1/completions', { ...plain, max_tokens: 40 }))).choices[0]
    const streamed = events(await text(await post(backend, '/v1/completions', { ...plain, max_tokens: 40, stream: true })))
    const ofStream = streamed.flatMap(({ choices }) => (choices[0]?.logprobs as typeof whole.logprobs)?.text_offset ?? [])
    expect(whole.logprobs.text_offset).toHaveLength(40)
    expect(new Set(whole.logprobs.text_offset).size).toBeGreaterThan(20)
    expect(ofStream).toEqual(whole.logprobs.text_offset)
    const letters = [...whole.text]
    for (const [index, token] of whole.logprobs.tokens.entries()) {
      const at = whole.logprobs.text_offset[index]
      if (!token.includes('\ufffd')) expect(letters.slice(at, at + [...token].length).join('')).toBe(token)
    }
  })

  it('gives embeddings in both encodings', async () => {
    const ask = async (body: object) =>
      JSON.parse(await text(await post(backend, '/v1/embeddings', { model: hello.model, ...body })))
    const { data, usage } = await ask({ input: ['the day', 'the day', 'water oil'] })
    expect(data).toHaveLength(3)
    const [first, again, other] = data.map(({ embedding }: { embedding: number[] }) => embedding)
    expect(Math.hypot(...first)).toBeCloseTo(1, 5)
    const likeness = (a: number[], b: number[]): number => a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
    expect(likeness(first, again)).toBeCloseTo(1, 5)
    expect(likeness(first, other)).toBeLessThan(0.99)
    expect(usage.prompt_tokens).toBeGreaterThan(5)
    const packed = await ask({ input: 'the day', encoding_format: 'base64' })
    const floats = new Float32Array(new Uint8Array(Buffer.from(packed.data[0].embedding, 'base64')).buffer)
    expect(floats[0]).toBeCloseTo(first[0], 5)
    for (const [input, status] of [
      ['', 400],
      [[], 400],
      ['x'.repeat(9000), 400],
      [[1, 2], 400],
    ] as const)
      expect((await post(backend, '/v1/embeddings', { model: hello.model, input })).status).toBe(status)
    expect((await post(backend, '/v1/embeddings', { model: 'other', input: 'x' })).status).toBe(404)
    const gone = post(backend, '/v1/embeddings', { model: hello.model, input: 'x' }, AbortSignal.abort())
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' })
  })

  it('lists its model while it is ready', async () => {
    const response = await backend.handle(
      { method: 'GET', path: '/v1/models', headers: [], body: new Uint8Array() },
      new AbortController().signal,
    )
    expect(response.status).toBe(200)
    expect(JSON.parse(await text(response)).data).toMatchObject([{ id: 'tiny/random-f32', object: 'model' }])
    expect(backend.healthy()).toBe(true)
  })

  it.each([
    ['not JSON', '{', 400, null],
    ['an array', '[]', 400, null],
    ['no messages', { model: 'tiny/random-f32' }, 400, 'messages'],
    ['empty messages', { ...hello, messages: [] }, 400, 'messages'],
    [
      'an image',
      { ...hello, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
      400,
      'messages[0].content',
    ],
    [
      'a result without a call',
      { ...hello, messages: [{ role: 'tool', content: 'x', tool_call_id: 'c' }] },
      400,
      'messages[0].tool_call_id',
    ],
    ['a result of nothing', { ...hello, messages: [{ role: 'tool', content: 'x' }] }, 400, 'messages[0].tool_call_id'],
    ['an empty answer', { ...hello, messages: [{ role: 'assistant' }] }, 400, 'messages[0].content'],
    ['two answers', { ...hello, n: 2 }, 400, 'n'],
    ['a tool of another type', { ...hello, tools: [{ type: 'web_search' }] }, 400, 'tools[0].type'],
    ['a choice without tools', { ...hello, tool_choice: 'required' }, 400, 'tool_choice'],
    ['a form that it does not know', { ...hello, response_format: { type: 'xml' } }, 400, 'response_format.type'],
    [
      'a schema that it cannot hold to',
      {
        ...hello,
        response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { multipleOf: 3, type: 'number' } } },
      },
      400,
      'response_format',
    ],
    [
      'a tool whose schema it cannot hold to',
      { ...hello, tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'number', multipleOf: 3 } } }] },
      400,
      'tools',
    ],
    ['alternatives without log probabilities', { ...hello, top_logprobs: 2 }, 400, 'top_logprobs'],
    ['a split that the model has no marks for', { ...hello, reasoning_format: 'deepseek' }, 400, 'reasoning_format'],
    ['a bias of no token', { ...hello, logit_bias: { word: 1 } }, 400, 'logit_bias.word'],
    ['a hot temperature', { ...hello, temperature: 3 }, 400, 'temperature'],
    ['no tokens', { ...hello, max_tokens: 0 }, 400, 'max_tokens'],
    ['another model', { ...hello, model: 'other' }, 404, 'model'],
    ['a text too long', { ...hello, messages: [{ role: 'user', content: 'x'.repeat(3000) }] }, 400, 'messages'],
  ])('refuses %s', async (_, body, status, param) => {
    const response = await post(backend, '/v1/chat/completions', body)
    expect(response.status).toBe(status)
    expect(JSON.parse(await text(response)).error).toMatchObject({
      type: 'invalid_request_error',
      param,
      message: expect.any(String),
    })
  })

  it('refuses unknown paths and methods', async () => {
    expect((await post(backend, '/v1/images', hello)).status).toBe(404)
    const audio = await post(backend, '/v1/audio/transcriptions', hello)
    expect([audio.status, JSON.parse(await text(audio))]).toMatchObject([400, { error: { param: 'file', code: 'not_capable' } }])
    expect((await post(backend, '/v1/models', hello)).status).toBe(405)
  })

  it('ends a stream with the usage so far when it is aborted', async () => {
    const abort = new AbortController()
    const response = await post(
      backend,
      '/v1/chat/completions',
      { ...hello, max_tokens: 1000, stream: true, stream_options: { include_usage: true } },
      abort.signal,
    )
    let body = ''
    for await (const part of response.body) {
      body += Buffer.from(part).toString()
      if (events(body).length > 5) abort.abort()
    }
    expect(events(body).length).toBeLessThan(200)
    const last = events(body).at(-1)
    expect(last?.usage?.prompt_tokens).toBe(24)
    expect(last?.usage?.completion_tokens).toBeGreaterThan(0)
    expect(body).not.toContain('[DONE]')
    const gone = AbortSignal.abort()
    await expect(post(backend, '/v1/chat/completions', hello, gone)).rejects.toMatchObject({ code: 'cancelled' })
  })

  it('says that no model is ready', async () => {
    const empty = createEngineBackend({ engine: new LocalEngine({ entryPath }), model: 'm' })
    const response = await post(empty, '/v1/chat/completions', { ...hello, model: 'm' })
    expect(response.status).toBe(503)
    expect(JSON.parse(await text(response)).error.code).toBe('engine_not_ready')
    expect(empty.healthy()).toBe(false)
  })
})

describe('ExternalBackend', () => {
  let server: Server
  let base: string
  let closed = 0

  beforeAll(async () => {
    // The engine above behind a real socket, as any other OpenAI-compatible server would be.
    server = createServer(async (request, response) => {
      const abort = new AbortController()
      response.on('close', () => {
        if (!response.writableFinished) closed++
        abort.abort()
      })
      const parts: Uint8Array[] = []
      for await (const part of request) parts.push(part)
      const answer = await backend.handle(
        { method: request.method ?? '', path: request.url ?? '', headers: [], body: Buffer.concat(parts) },
        abort.signal,
      )
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      for await (const part of answer.body) response.write(part)
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => server.close())

  it('passes requests and streams through', async () => {
    const external = new ExternalBackend({ baseUrl: `${base}/v1/`, model: 'tiny/random-f32' })
    await external.start()
    expect(external.healthy()).toBe(true)
    const direct = JSON.parse(await text(await post(backend, '/v1/chat/completions', hello)))
    const through = await post(external, '/v1/chat/completions', { ...hello, stream: true })
    expect(through.status).toBe(200)
    expect(through.headers.map(([name]) => name.toLowerCase())).not.toContain('transfer-encoding')
    const chunks = events(await text(through))
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(direct.choices[0].message.content)
    expect((await post(external, '/v1/chat/completions', { ...hello, model: 'x' })).status).toBe(404)
    await external.stop()
    expect(external.healthy()).toBe(false)
  })

  it('ends the body when aborted, and the server sees it', async () => {
    const external = new ExternalBackend({ baseUrl: base, model: 'tiny/random-f32' })
    const abort = new AbortController()
    const before = closed
    const response = await post(external, '/v1/chat/completions', { ...hello, max_tokens: 1500, stream: true }, abort.signal)
    let parts = 0
    for await (const _ of response.body) if (++parts === 3) abort.abort()
    expect(parts).toBeLessThan(500)
    await expect.poll(() => closed).toBe(before + 1)
  })

  it('turns unhealthy when the server is gone and healthy when it is back', async () => {
    const answers = { status: 200 }
    const flaky = createServer((_, response) => response.writeHead(answers.status).end('{}'))
    flaky.listen(0, '127.0.0.1')
    await once(flaky, 'listening')
    const { port } = flaky.address() as AddressInfo
    const external = new ExternalBackend({ baseUrl: `http://127.0.0.1:${port}`, model: 'm', healthIntervalMs: 20 })
    const seen: boolean[] = []
    external.health.onChange((value) => seen.push(value))
    await external.start()
    answers.status = 503
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
    answers.status = 200
    while (seen.length < 3) await new Promise((resolve) => setTimeout(resolve, 10))
    flaky.closeAllConnections()
    flaky.close()
    while (seen.length < 4) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(seen).toEqual([true, false, true, false])
    await external.stop()
    await expect(post(external, '/v1/chat/completions', hello)).rejects.toMatchObject({
      code: 'engine-unreachable',
      retryable: true,
    })
  })

  it('refuses other kinds of address', () => {
    expect(() => new ExternalBackend({ baseUrl: 'file:///etc/passwd', model: 'm' })).toThrow('http://')
  })
})
