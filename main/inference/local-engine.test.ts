import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Failure } from '../base/failure.ts'
import { alive } from '../base/testing/alive.ts'
import type { ChatMessage, EngineEvent, EngineUsage, GenerationOptions } from './engine.ts'
import { LocalEngine } from './local-engine.ts'
import { tinyGguf, tinyGgufFile } from './testing/tiny-gguf.ts'

const entryPath = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
/** Three control tokens, three line ends, "user" and "assistant" letter by letter. */
const templateTokens = 3 + 3 + 4 + 9
const never = new AbortController().signal
const ask = (content: string): ChatMessage[] => [{ role: 'user', content }]

async function collect(
  events: AsyncIterable<EngineEvent>,
): Promise<{ text: string; pieces: number; tokens: number; reason: string; usage: EngineUsage }> {
  let text = ''
  let pieces = 0
  let tokens = 0
  for await (const event of events) {
    if (event.type === 'done') return { text, pieces, tokens, reason: event.reason, usage: event.usage }
    if (event.type !== 'text') continue
    text += event.text
    tokens += event.tokens
    pieces++
  }
  throw new Error('no done event')
}

async function until(condition: () => boolean, limitMs = 60_000): Promise<void> {
  const startedMs = performance.now()
  while (!condition()) {
    if (performance.now() - startedMs > limitMs) throw new Error('waited too long')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function newEngine(sequences = 2): LocalEngine {
  return new LocalEngine({ entryPath, gpu: false, threads: 1, sequences, background: false, restartPauseMs: 20 })
}

describe('LocalEngine with a tiny model', () => {
  const engine = newEngine()
  let path: string

  beforeAll(async () => {
    path = await tinyGgufFile()
    await engine.load({ path, name: 'tiny' })
  })
  afterAll(() => engine.dispose())

  it('streams piece by piece and counts exactly', async () => {
    const result = await collect(engine.chat(ask('Hello there'), { maxTokens: 24, seed: 1 }, never))
    expect(engine.state.value).toMatchObject({ status: 'ready', model: 'tiny', contextTokens: 2048, backend: 'cpu' })
    expect(result.pieces).toBeGreaterThan(5)
    expect(result.text.length).toBeGreaterThan(0)
    expect(result).toMatchObject({ reason: 'length', tokens: 24 })
    expect(result.usage).toMatchObject({ completionTokens: 24, reasoningTokens: 0 })
    // The template around the text and one token for each of its characters: the vocabulary has no such words.
    expect(result.usage.promptTokens).toBe(templateTokens + 11)
  })

  it('gives the same answer to the same seed, another to another', async () => {
    const run = async (seed: number): Promise<string> =>
      (await collect(engine.chat(ask('Tell me a story'), { maxTokens: 24, temperature: 1, seed }, never))).text
    const [first, again, other] = [await run(7), await run(7), await run(8)]
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })

  it('reuses a whole earlier prompt and says so', async () => {
    const first = ask('What is the colour of the sky on a very clear day in the mountains?')
    const answer = await collect(engine.chat(first, { maxTokens: 8, temperature: 0 }, never))
    const next = await collect(
      engine.chat([...first, { role: 'assistant', content: answer.text }, ...ask('And at night?')], { maxTokens: 4 }, never),
    )
    expect(next.usage.cachedTokens).toBeGreaterThanOrEqual(answer.usage.promptTokens)
    expect(next.usage.cachedTokens).toBeLessThan(next.usage.promptTokens)
  })

  it('reveals to nobody by the cache what another asked, nor what the answer was', async () => {
    type Asked = { cached: number; text: string }
    const asked = async (messages: ChatMessage[], options: GenerationOptions): Promise<Asked> => {
      const { text, usage } = await collect(engine.chat(messages, { maxTokens: 12, temperature: 0, ...options }, never))
      return { cached: usage.cachedTokens, text }
    }
    const rules: ChatMessage = { role: 'system', content: 'You are a helpful assistant.' }
    const secret = [rules, ...ask('My secret number is 4821 and nobody knows it')]
    const others: GenerationOptions[] = [{ lane: 'served' }, { lane: 'api', cacheScope: 'key 1' }, {}]
    for (const victim of others) {
      const { text } = await asked(secret, victim)
      const words = text.split(' ')
      for (const spy of others) {
        if (spy === victim && victim.lane !== 'served') continue
        const seen = new Set<number>()
        // Both places are filled by others' prompts each time: what a spy asked itself is no secret to it.
        const look = async (messages: ChatMessage[]): Promise<void> => {
          await Promise.all([asked(secret, victim), asked(secret, victim)])
          seen.add((await asked(messages, { ...spy, maxTokens: 1 })).cached)
        }
        await look(secret)
        await look([rules, ...ask('My secret number is 4')])
        await look(ask('Something else'))
        for (const right of [0, 2, 4]) {
          const guess = `${words.slice(0, right).join(' ')} zebra`
          await look([...secret, { role: 'assistant', content: guess }, ...ask('x')])
        }
        await look([...secret, { role: 'assistant', content: text }, ...ask('x')])
        // Only what begins every chat with this model: its mark of a beginning.
        expect([...seen]).toEqual([1])
      }
    }
  })

  it('reads a long beginning once for each scope', async () => {
    const rules = 'Rules of the house. '.repeat(40)
    const cached = async (content: string, options: GenerationOptions): Promise<number> =>
      (await collect(engine.chat(ask(`${rules}${content}`), { maxTokens: 2, ...options }, never))).usage.cachedTokens
    const app = { lane: 'app', cacheScope: 'app 1' }
    expect(await cached('One?', app)).toBeLessThan(10)
    expect(await cached('Two, and more?', app)).toBeGreaterThan(rules.length)
    expect(await cached('Three?', { lane: 'app', cacheScope: 'app 2' })).toBeLessThan(10)
  })

  it('answers two at the same time, each as if it were alone', async () => {
    const options = { maxTokens: 40, temperature: 1, seed: 3 }
    const alone = [await collect(engine.chat(ask('one'), options, never)), await collect(engine.chat(ask('two'), options, never))]
    const order: string[] = []
    const follow = async (content: string): Promise<string> => {
      let text = ''
      for await (const event of engine.chat(ask(content), options, never))
        if (event.type === 'text') {
          order.push(content)
          text += event.text
        }
      return text
    }
    expect(await Promise.all([follow('one'), follow('two')])).toEqual(alone.map((result) => result.text))
    // Both were under way before either was half done.
    expect(new Set(order.slice(0, 20))).toEqual(new Set(['one', 'two']))
  })

  it('lets lanes take turns when more wait than fit, and the own chat go first', async () => {
    const finished: string[] = []
    const job = async (name: string, lane: string): Promise<void> => {
      await collect(engine.chat(ask(name), { maxTokens: 10, lane }, never))
      finished.push(name)
    }
    const served = Array.from({ length: 8 }, (_, index) => job(`served ${index}`, 'served'))
    await Promise.all([...served, job('app', 'app'), job('mine', 'own'), job('mine too', 'own')])
    expect(finished).toHaveLength(11)
    expect(Math.max(finished.indexOf('mine'), finished.indexOf('mine too'))).toBeLessThan(4)
    expect(finished.indexOf('app')).toBeLessThan(7)
  })

  it('stops within a few milliseconds and reports the usage so far', async () => {
    const [tokens, took]: [number[], number[]] = [[], []]
    for (let round = 0; round < 5; round++) {
      const abort = new AbortController()
      let stoppedAtMs = 0
      let seen = 0
      for await (const event of engine.chat(ask('Go on and on'), { maxTokens: 1000 }, abort.signal)) {
        if (event.type === 'text') {
          seen += event.tokens
          if (seen >= 5 && stoppedAtMs === 0) {
            stoppedAtMs = performance.now()
            abort.abort()
          }
        } else if (event.type === 'done') {
          expect(event.reason).toBe('cancelled')
          expect(event.usage.completionTokens).toBeGreaterThanOrEqual(5)
          expect(event.usage.promptTokens).toBeGreaterThan(10)
          tokens.push(event.usage.completionTokens)
          took.push(performance.now() - stoppedAtMs)
        }
      }
      expect(stoppedAtMs).toBeGreaterThan(0)
    }
    // A busy computer is late with any single one.
    expect(Math.min(...tokens)).toBeLessThan(100)
    expect(Math.min(...took)).toBeLessThan(150)
    expect((await collect(engine.chat(ask('still there?'), { maxTokens: 3 }, never))).usage.completionTokens).toBe(3)
  })

  it('ends at once when it is aborted while waiting, with nothing used', async () => {
    const long = [1, 2].map((n) => {
      const abort = new AbortController()
      return { abort, result: collect(engine.chat(ask(`busy ${n}`), { maxTokens: 1500 }, abort.signal)) }
    })
    const abort = new AbortController()
    const waiting = collect(engine.chat(ask('third'), { maxTokens: 5 }, abort.signal))
    setTimeout(() => abort.abort(), 50)
    expect(await waiting).toMatchObject({ reason: 'cancelled', text: '', usage: { promptTokens: 0, completionTokens: 0 } })
    for (const { abort } of long) abort.abort()
    for (const { result } of long) expect((await result).reason).toBe('cancelled')
  })

  it('frees its place when the reader leaves early', async () => {
    for (let round = 0; round < 4; round++) {
      for await (const event of engine.chat(ask('leave'), { maxTokens: 1500 }, never)) if (event.type === 'text') break
    }
    expect((await collect(engine.chat(ask('back'), { maxTokens: 2 }, never))).usage.completionTokens).toBe(2)
  })

  it('stops at a stop string without sending it', async () => {
    const options = { maxTokens: 40, temperature: 0 }
    const whole = await collect(engine.complete('the day', options, never))
    const stop = whole.text.slice(12, 16)
    const cut = await collect(engine.complete('the day', { ...options, stop: [stop] }, never))
    expect(cut.reason).toBe('stop')
    expect(cut.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)))
    expect(cut.usage.completionTokens).toBeLessThan(whole.usage.completionTokens)
  })

  it('punishes repetition when asked', async () => {
    const options = { maxTokens: 60, temperature: 0 }
    const variety = async (penalties: object): Promise<number> => {
      const { text } = await collect(engine.complete('once', { ...options, ...penalties }, never))
      return new Set(text.split(' ')).size
    }
    expect(await variety({ frequencyPenalty: 2, presencePenalty: 2 })).toBeGreaterThan(await variety({ frequencyPenalty: -2 }))
  })

  it('refuses text that does not fit before generating', async () => {
    await expect(collect(engine.chat(ask('x'.repeat(3000)), {}, never))).rejects.toMatchObject({ code: 'context-too-small' })
    await expect(collect(engine.chat(ask('x'), { temperature: -1 }, never))).rejects.toMatchObject({ code: 'bad-request' })
    // Not even read into tokens: the sentence knows only how long it is.
    const huge = 'x'.repeat(2048 * 256 + 1)
    const unread = { code: 'context-too-small', message: expect.stringContaining('524289 characters') }
    await expect(collect(engine.chat(ask(huge), {}, never))).rejects.toMatchObject(unread)
    await expect(collect(engine.complete(huge, {}, never))).rejects.toMatchObject(unread)
    await expect(engine.embed([huge], never)).rejects.toMatchObject(unread)
    const many = Array.from({ length: 160 }, () => 'x'.repeat(1900))
    await expect(engine.embed(many, never)).rejects.toMatchObject({ code: 'bad-request' })
    expect(engine.state.value.status).toBe('ready')
  })

  it('ends by the context at the latest', async () => {
    const result = await collect(engine.complete('y'.repeat(1990), {}, never))
    expect(result.reason).toBe('length')
    expect(result.usage.promptTokens + result.usage.completionTokens).toBe(2047)
  })

  it('keeps whole characters and treats names of control tokens in messages as text', async () => {
    const plain = await collect(engine.chat(ask('Grüße 👋🏽 日本'), { maxTokens: 2 }, never))
    // 6 letters and bytes: ü 2, ß 2, each emoji 4, each kanji 3, two spaces.
    expect(plain.usage.promptTokens).toBe(templateTokens + 3 + 4 + 1 + 8 + 1 + 6)
    const control = await collect(engine.chat(ask('<|im_end|>'), { maxTokens: 2 }, never))
    expect(control.usage.promptTokens).toBe(templateTokens + 10)
  })
})

describe('LocalEngine with a place kept for the own chat', () => {
  it('answers the own chat while the others wait for each other', async () => {
    const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, sequences: 1, keepOwn: true, background: false })
    await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
    const abort = new AbortController()
    const order: string[] = []
    const served = [1, 2].map((n) =>
      collect(engine.chat(ask(`served ${n}`), { maxTokens: n === 1 ? 1500 : 2, lane: 'served' }, abort.signal)).then(
        ({ reason }) => order.push(`served ${n} ${reason}`),
      ),
    )
    for (const name of ['one', 'two'])
      order.push(`${name} ${(await collect(engine.chat(ask(name), { maxTokens: 5 }, never))).tokens}`)
    abort.abort()
    await Promise.all(served)
    expect(order.slice(0, 2)).toEqual(['one 5', 'two 5'])
    expect(order.slice(2).sort()).toEqual(['served 1 cancelled', 'served 2 cancelled'])
    await engine.dispose()
  })
})

describe('LocalEngine with embeddings beside answers', () => {
  it('lets them wait in the line of the answers, and go when they are stopped there', async () => {
    const engine = newEngine(1)
    await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
    const abort = new AbortController()
    const order: string[] = []
    const begun = Promise.withResolvers<void>()
    const answer = (async () => {
      for await (const event of engine.chat(ask('long'), { maxTokens: 1500 }, abort.signal))
        if (event.type === 'text') begun.resolve()
      order.push('answer')
    })()
    await begun.promise
    const left = new AbortController()
    const given = engine.embed(['one'], left.signal)
    const read = engine.embed(['one', 'two'], never).then(({ vectors }) => order.push(`${vectors.length} vectors`))
    setTimeout(() => left.abort(), 100)
    await expect(given).rejects.toMatchObject({ code: 'cancelled' })
    expect(order).toEqual([])
    abort.abort()
    await Promise.all([answer, read])
    // Both may come in one reading, and which of their readers is told first is chance.
    expect(order.sort()).toEqual(['2 vectors', 'answer'])
    expect((await collect(engine.chat(ask('again'), { maxTokens: 3 }, never))).tokens).toBe(3)
    await engine.dispose()
  })
})

describe('LocalEngine under faults', () => {
  it('fails the running answers, restarts and answers again when its process is killed', async () => {
    const engine = newEngine()
    await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
    const states: string[] = []
    engine.state.onChange((state) => states.push(state.status))
    const pid = engine.pid ?? 0
    const failure = (async () => {
      for await (const event of engine.chat(ask('on'), { maxTokens: 1500 }, never))
        if (event.type === 'text') process.kill(pid, 'SIGKILL')
    })()
    const error = await failure.then(
      () => undefined,
      (reason: Failure) => reason,
    )
    expect(error).toMatchObject({ code: 'engine-crashed', retryable: true })
    await expect(collect(engine.chat(ask('too early'), {}, never))).rejects.toMatchObject({
      code: 'engine-not-ready',
      retryable: true,
    })
    await until(() => engine.state.value.status === 'ready')
    expect(states[0]).toBe('restarting')
    expect(engine.pid).not.toBe(pid)
    expect((await collect(engine.chat(ask('again'), { maxTokens: 3 }, never))).usage.completionTokens).toBe(3)
    const last = engine.pid ?? 0
    await engine.dispose()
    expect(alive(last)).toBe(false)
    expect(engine.state.value).toEqual({ status: 'no-model' })
  })

  it('samples as the makers of the model advise unless asked otherwise', async () => {
    const engine = newEngine()
    await engine.load({ path: await tinyGgufFile(), name: 'tiny', sampling: { temperature: 0 } })
    const run = async (options: object): Promise<string> =>
      (await collect(engine.complete('some', { maxTokens: 16, ...options }, never))).text
    expect(await run({ seed: 1 })).toBe(await run({ seed: 2 }))
    expect(await run({ seed: 1, temperature: 2 })).not.toBe(await run({ seed: 2, temperature: 2 }))
    await engine.dispose()
  })

  it('ends an aborted answer with done even when the process dies meanwhile', async () => {
    const engine = newEngine()
    await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
    const abort = new AbortController()
    let reason: string | undefined
    for await (const event of engine.chat(ask('on'), { maxTokens: 1500 }, abort.signal)) {
      if (event.type === 'done') reason = event.reason
      else if (engine.pid !== undefined && !abort.signal.aborted) {
        process.kill(engine.pid, 'SIGKILL')
        abort.abort()
      }
    }
    expect(reason).toBe('cancelled')
    await engine.dispose()
  })

  it('says why a bad file cannot be loaded, and loads a good one after it', async () => {
    const engine = newEngine()
    const bytes = tinyGguf()
    const cut = join(tmpdir(), `cocoon-desktop-cut-${process.pid}.gguf`)
    await writeFile(cut, bytes.subarray(0, 3_000_000))
    await expect(engine.load({ path: cut, name: 'cut' })).rejects.toMatchObject({ code: 'model-load-failed' })
    expect(engine.state.value.status).toBe('failed')
    await writeFile(cut, 'this is not a model at all')
    await expect(engine.load({ path: cut, name: 'text' })).rejects.toMatchObject({ code: 'model-load-failed' })
    await expect(collect(engine.chat(ask('x'), {}, never))).rejects.toMatchObject({ code: 'engine-not-ready' })
    await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
    expect(engine.state.value.status).toBe('ready')
    await engine.unload()
    expect(engine.state.value.status).toBe('no-model')
    expect(engine.pid).toBeUndefined()
    await engine.dispose()
  })

  it('leaves no process behind when its parent is killed', async () => {
    const script = `
      import { LocalEngine } from ${JSON.stringify(new URL('./local-engine.ts', import.meta.url).href)}
      const engine = new LocalEngine({ entryPath: ${JSON.stringify(entryPath)}, gpu: false, threads: 1 })
      await engine.load({ path: ${JSON.stringify(await tinyGgufFile())}, name: 'tiny' })
      process.stdout.write('pid ' + engine.pid + '\\n')
      for await (const event of engine.complete('x', { maxTokens: 2000 }, new AbortController().signal)) void event
      setInterval(() => undefined, 1000)
    `
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
    const pid = Number(line.slice(4))
    expect(alive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await until(() => !alive(pid))
  })
})
