/**
 * `npm run bench:gateway`: what the local API adds to an answer of this computer's engine, in the same run: time to the first word and time for each
 * token, over a real socket with a key, against the engine's own OpenAI form without HTTP, which stands behind both. Same model, same questions, both warm, taken in turns so
 * that the machine's mood falls on both alike. Rounds by the first argument; a GGUF file by the variable MODEL (a small random one otherwise).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLogger } from '../main/base/logger.ts'
import { Gateway } from '../main/gateway/gateway.ts'
import { gatewayMigrations } from '../main/gateway/gateway-tables.ts'
import { localBackend } from '../main/gateway/local-backend.ts'
import { LocalEngine } from '../main/inference/local-engine.ts'
import { createEngineBackend } from '../main/inference/openai.ts'
import type { OpenAiBackend } from '../main/inference/openai-backend.ts'
import { tinyGgufFile } from '../main/inference/testing/tiny-gguf.ts'
import { openDatabase } from '../main/storage/database.ts'

const rounds = Number(process.argv[2] ?? 40)
const tokens = 64
const targetMs = 3
const warmUp = 5

interface Timed {
  readonly firstMs: number
  readonly perTokenMs: number
  readonly chunks: number
}

/** Notes when the first word and the last one came. */
class Watch {
  readonly #startedAt = performance.now()
  #firstAt = 0
  #lastAt = 0
  #chunks = 0

  /** Any piece of the stream: the first event only names the role. */
  saw(text: string): void {
    const words = text.split('"content":"').length - 1 - (text.includes('"role"') ? 1 : 0)
    if (words <= 0) return
    this.#lastAt = performance.now()
    if (this.#chunks === 0) this.#firstAt = this.#lastAt
    this.#chunks += words
  }

  get timed(): Timed {
    if (this.#chunks === 0) throw new Error('An answer came without a word.')
    const perTokenMs = (this.#lastAt - this.#firstAt) / Math.max(1, this.#chunks - 1)
    return { firstMs: this.#firstAt - this.#startedAt, perTokenMs, chunks: this.#chunks }
  }
}

const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) * part)] ?? Number.NaN

const folder = mkdtempSync(join(tmpdir(), 'cocoon-bench-gateway-'))
const entryPath = fileURLToPath(new URL('../main/inference/engine-process.ts', import.meta.url))
const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false })
const generated = createEngineBackend({ engine, model: 'model' })
const encoder = new TextEncoder()

/** Answers at once, in the engine's form: what is left of the time is the local API's own, and little of the machine's mood. */
const instant: OpenAiBackend = {
  model: 'model',
  healthy: () => true,
  handle: async () => ({
    status: 200,
    reason: 'OK',
    headers: [['Content-Type', 'text/event-stream; charset=utf-8']],
    body: (async function* () {
      const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'model' }
      const choice = { index: 0, logprobs: null, finish_reason: null }
      const event = (value: object): Uint8Array => encoder.encode(`data: ${JSON.stringify({ ...head, ...value })}\n\n`)
      yield event({ choices: [{ ...choice, delta: { role: 'assistant', content: '' } }], usage: null })
      for (let token = 0; token < tokens; token++) {
        yield event({ choices: [{ ...choice, delta: { content: ' word' } }], usage: null })
        // As with an engine in a process of its own: others get their turn between two tokens.
        await new Promise((resolve) => setImmediate(resolve))
      }
      const usage = { prompt_tokens: 9, completion_tokens: tokens, total_tokens: tokens + 9 }
      yield event({ choices: [], usage })
      yield encoder.encode('data: [DONE]\n\n')
    })(),
  }),
}

const database = openDatabase(join(folder, 'gateway.db'), gatewayMigrations, { logger: silentLogger })
let backend = instant
const gateway = new Gateway({
  database,
  backends: [
    localBackend({
      current: () => ({ backend, capabilities: engine.capabilities }),
      trouble: () => 'No model.',
      permission: async () => undefined,
    }),
  ],
  logger: silentLogger,
})
const agent = new Agent({ keepAlive: true })
const decoder = new TextDecoder()

const bodyOf = (model: string, question: string): string =>
  JSON.stringify({
    model,
    messages: [{ role: 'user', content: question }],
    max_tokens: tokens,
    stream: true,
    temperature: 0,
    seed: 1,
    stream_options: { include_usage: true },
  })

async function direct(question: string): Promise<Timed> {
  const watch = new Watch()
  const body = encoder.encode(bodyOf('model', question))
  const request = { method: 'POST', path: '/v1/chat/completions', headers: [], body }
  const answer = await backend.handle(request, new AbortController().signal)
  for await (const part of answer.body) watch.saw(decoder.decode(part))
  return watch.timed
}

function overHttp(port: number, key: string, question: string): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const watch = new Watch()
    const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
    const request = httpRequest(
      { host: '127.0.0.1', port, method: 'POST', path: '/v1/chat/completions', agent, headers },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`The answer has the status ${response.statusCode}.`))
        response.on('data', (part: Buffer) => watch.saw(part.toString('utf8')))
        response.once('end', () => {
          try {
            resolve(watch.timed)
          } catch (error) {
            reject(error)
          }
        })
        response.once('error', reject)
      },
    )
    request.once('error', reject)
    request.end(bodyOf('local/model', question))
  })
}

/** Both sides in turns; who goes first changes. */
async function compared(count: number, port: number, key: string): Promise<{ plain: Timed[]; through: Timed[] }> {
  const both: { plain: Timed[]; through: Timed[] } = { plain: [], through: [] }
  const ask = {
    // Worded differently, so that no cached prompt helps one side.
    plain: (round: number) => direct(`${round} is for this side: tell about it.`),
    through: (round: number) => overHttp(port, key, `${round} is for that side: tell about it.`),
  }
  for (let round = -warmUp; round < count; round++) {
    for (const side of round % 2 === 0 ? (['plain', 'through'] as const) : (['through', 'plain'] as const)) {
      const timed = await ask[side](round + warmUp)
      if (round >= 0) both[side].push(timed)
    }
  }
  return both
}

function show(name: string, timed: readonly Timed[]): void {
  const first = timed.map(({ firstMs }) => firstMs)
  const each = timed.map(({ perTokenMs }) => perTokenMs)
  const [low, middle, high] = [0.1, 0.5, 0.9].map((part) => quantile(first, part).toFixed(2))
  console.log(`  ${name} first word ${middle} ms (p10 ${low}, p90 ${high}), then ${quantile(each, 0.5).toFixed(3)} ms a token`)
}

/** Of neighbours in time, so that a machine with other work to do does not decide. */
function added({ plain, through }: { plain: Timed[]; through: Timed[] }): number {
  const of = (name: 'firstMs' | 'perTokenMs'): number =>
    quantile(
      through.map((timed, index) => timed[name] - (plain[index]?.[name] ?? Number.NaN)),
      0.5,
    )
  const first = of('firstMs')
  console.log(
    `  The local API adds ${first.toFixed(2)} ms to the first word and ${(of('perTokenMs') * 1000).toFixed(0)} µs to each token`,
  )
  return first
}

try {
  await engine.load({ path: process.env.MODEL ?? (await tinyGgufFile()), name: 'Model' })
  await gateway.apply({ enabled: true, port: 0 })
  const terms = { name: 'bench', level: 'computer' as const, models: null, origins: [], dailyLimit: 0n, consent: false }
  const { secret } = gateway.createKey(terms)
  const { port } = gateway.view()
  console.log(`Medians, ${tokens} tokens an answer, sides in turns, after ${warmUp} rounds to warm up; differences of neighbours`)
  console.log(`An engine that answers at once, ${rounds * 5} rounds:`)
  const quick = await compared(rounds * 5, port, secret)
  show('without HTTP:         ', quick.plain)
  show('through the local API:', quick.through)
  const own = added(quick)
  backend = generated
  console.log(`The real engine on one thread, ${rounds} rounds:`)
  const real = await compared(rounds, port, secret)
  show('without HTTP:         ', real.plain)
  show('through the local API:', real.through)
  added(real)
  // Against the real engine the difference is smaller than what the engine itself varies by, so the target is judged without it.
  const met = own < targetMs
  console.log(
    `Target, under ${targetMs} ms to the first word, judged by the engine that answers at once: ${met ? 'met' : 'MISSED'}`,
  )
  process.exitCode = met ? 0 : 1
} finally {
  agent.destroy()
  await gateway.stop()
  database.close()
  await engine.dispose()
  rmSync(folder, { recursive: true, force: true })
}
