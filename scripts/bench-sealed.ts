/**
 * `npm run bench:sealed [-- --tokens 2000 --rounds 12]`: what sealing costs for each token of a stream. Client, proxy and worker of ours in this
 * process, over real sockets; an engine that sends one token after the other, each in a piece of its own. Sealed and plain streams take turns, so that
 * both meet the same machine; processor time is compared, which other work on it changes less than the clock. Besides: sealing and opening
 * alone, and the time until the first word. Exits with 1 when the median for each token is not below 1 % of the time per token at
 * 200 tokens a second.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { silentLogger } from '../main/base/logger.ts'
import { Signal } from '../main/base/signal.ts'
import { clientMigrations } from '../main/client/account-store.ts'
import { Client } from '../main/client/client.ts'
import type { BackendResponse, OpenAiBackend } from '../main/inference/openai-backend.ts'
import { encodeHttpResponse } from '../main/protocol/http/http-message.ts'
import { AnswerOpener } from '../main/protocol/sealed/direct/answer-opener.ts'
import { AnswerSealer } from '../main/protocol/sealed/direct/answer-sealer.ts'
import { identity, owner } from '../main/protocol/sealed/testing/sealing-scene.ts'
import { dialDirect } from '../main/protocol/wire/dial.ts'
import { goldenRoot, goldenWallet, pseudoProxy, temporaryFolder } from '../main/proxy/testing/fixtures.ts'
import { openDatabase } from '../main/storage/database.ts'
import type { RootConfig } from '../main/ton/root-config.ts'
import { workerMigrations } from '../main/worker/balance-store.ts'
import { Worker } from '../main/worker/worker.ts'
import { median } from './median.ts'

const { values } = parseArgs({
  options: { tokens: { type: 'string', default: '2000' }, rounds: { type: 'string', default: '12' } },
})
const [tokens, rounds] = [Number(values.tokens), Number(values.rounds)]
for (const number of [tokens, rounds])
  if (!(Number.isInteger(number) && number > 0)) throw new RangeError('--tokens and --rounds must be whole numbers')
/** 1 % of 5 ms */
const targetMicros = 50

const model = 'bench/model'
const encoder = new TextEncoder()
const event = encoder.encode(
  'data: {"choices":[{"delta":{"content":" token"},"finish_reason":null,"index":0}],"created":1795000000,"id":"chatcmpl-0123456789abcdef","model":"bench/model","object":"chat.completion.chunk"}\n\n',
)
const last = encoder.encode(`data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":${tokens}}}\n\ndata: [DONE]\n\n`)
async function* stream(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < tokens; i++) {
    yield event
    await nextTurn()
  }
  yield last
}
const backend: OpenAiBackend = {
  model,
  healthy: () => true,
  handle: async (): Promise<BackendResponse> => ({
    status: 200,
    reason: 'OK',
    headers: [['content-type', 'text/event-stream']],
    body: stream(),
  }),
}

const folder = mkdtempSync(join(tmpdir(), 'cocoon-bench-'))
const storage = temporaryFolder()
const proxy = pseudoProxy(storage.path)
await proxy.start()
const place = { host: '127.0.0.1', port: 1 }
const root = new Signal<RootConfig | null>({ ...goldenRoot(), proxies: [{ seqno: 1, forWorkers: place, forClients: place }] })
const dial = async (port: number | null) => (await dialDirect({ host: '127.0.0.1', port: port ?? 0, plain: true })).connection
const shared = { root, money: undefined, logger: silentLogger }
const books = [
  openDatabase(join(folder, 'worker.sqlite'), workerMigrations, { logger: silentLogger }),
  openDatabase(join(folder, 'client.sqlite'), clientMigrations, { logger: silentLogger }),
] as const
const worker = new Worker({
  ...{ ...shared, owner, backend, modelName: `${model}@c:h`, database: books[0], sealing: identity },
  dial: () => dial(proxy.status.value.workerPort),
})
worker.start()
const client = new Client({
  ...{ ...shared, owner: goldenWallet, masterSecret: new Uint8Array(32).fill(1), database: books[1] },
  dial: () => dial(proxy.status.value.clientPort),
})
client.start()
await client.whenReady(AbortSignal.timeout(10_000))
for await (const state of worker.state.values(AbortSignal.timeout(10_000))) if (state.connections[0]?.phase === 'ready') break

interface Round {
  /** Processor time of all three and the engine for each token, µs. */
  readonly micros: number
  readonly firstMs: number
}
const body = JSON.stringify({ model, stream: true, max_tokens: tokens, messages: [{ role: 'user', content: 'Count.' }] })
async function ask(seal: 'required' | 'none'): Promise<Round> {
  const began = performance.now()
  const handle = client.runChat({ model, body, maxTokens: tokens, seal }, AbortSignal.timeout(600_000))
  await handle.head
  const firstMs = performance.now() - began
  const cpu = process.cpuUsage()
  let bytes = 0
  for await (const piece of handle.body) bytes += piece.length
  await handle.end
  const { user, system } = process.cpuUsage(cpu)
  if (handle.seal.scheme !== (seal === 'required' ? 'direct' : 'none') || bytes < tokens * event.length)
    throw new Error('a round was not what it should be')
  return { micros: (user + system) / tokens, firstMs }
}

/** Sealing and opening of single tokens, nothing else; µs for each. */
function alone(): number {
  const [secret, enc] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
  const [sealer, opener] = [new AnswerSealer(secret, enc), new AnswerOpener(secret, enc)]
  opener.push(sealer.seal('head', encodeHttpResponse({ status: 200, reason: 'OK', headers: [] })))
  const cpu = process.cpuUsage()
  for (let i = 0; i < tokens; i++) opener.push(sealer.seal('data', event))
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) / tokens
}

const pairs: { readonly plain: Round; readonly sealed: Round; readonly alone: number }[] = []
for (let round = -2; round < rounds; round++) {
  const order = round % 2 === 0 ? (['none', 'required'] as const) : (['required', 'none'] as const)
  const [one, other] = [await ask(order[0]), await ask(order[1])]
  const [plain, sealed] = order[0] === 'none' ? [one, other] : [other, one]
  if (round >= 0) pairs.push({ plain, sealed, alone: alone() })
}
await client.stop()
await worker.stop()
await proxy.stop()
for (const book of books) book.close()
rmSync(folder, { recursive: true, force: true })
storage.remove()

const of = (read: (pair: (typeof pairs)[number]) => number): number => median(pairs.map(read))
const more = of(({ plain, sealed }) => sealed.micros - plain.micros)
console.log(
  `${cpus().length} cores (${cpus()[0]?.model ?? '?'}), load ${loadavg()[0]?.toFixed(2)}, Node ${process.version}, ${rounds} rounds of ${tokens} tokens each way`,
)
console.log(`Processor time for each token, client, proxy, worker and engine together (medians):`)
console.log(
  `  plain stream                 ${of(({ plain }) => plain.micros)
    .toFixed(1)
    .padStart(7)} µs`,
)
console.log(
  `  sealed stream                ${of(({ sealed }) => sealed.micros)
    .toFixed(1)
    .padStart(7)} µs`,
)
console.log(
  `  sealed minus plain           ${more.toFixed(1).padStart(7)} µs = ${((more / 5_000) * 100).toFixed(2)} % of the time per token at 200 tokens/s`,
)
console.log(
  `  sealing and opening alone    ${of(({ alone: micros }) => micros)
    .toFixed(1)
    .padStart(7)} µs`,
)
console.log(
  `Until the head of the answer: plain ${of(({ plain }) => plain.firstMs).toFixed(2)} ms, sealed ${of(({ sealed }) => sealed.firstMs).toFixed(2)} ms`,
)
console.log(more < targetMicros ? `Target met: below ${targetMicros} µs a token.` : `Not below ${targetMicros} µs a token.`)
process.exit(more < targetMicros ? 0 : 1)
