/**
 * `npm run bench:stop`: how long Stop takes over the whole path (client → proxy → worker → engine; real sockets with proof of work and TLS,
 * the real model). Each round stops an answer in the middle of its generation and measures, from the call of the cancel: until the engine
 * has ended the generation, until its last token, and until the final usage is at the client. Ends with 1 when the 90th percentile of the
 * first is above 300 ms, or when a round did not end as it must.
 *
 *   bench-stop.ts [rounds]      30 by default; COCOON_DATA_DIR names a data folder to use, a new one is made otherwise
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../main/base/logger.ts'
import { childEntries } from '../main/child-entries.ts'
import { readChatCompletion } from '../main/client/chat-completion.ts'
import type { Client } from '../main/client/client.ts'
import { localSecrets } from '../main/core/local-keys.ts'
import { LocalNetwork } from '../main/core/local-network.ts'
import { StartProgress } from '../main/core/start-progress.ts'
import type { Engine, EngineEvent } from '../main/inference/engine.ts'
import { LocalEngine } from '../main/inference/local-engine.ts'
import { createEngineBackend } from '../main/inference/openai.ts'
import { shippedCatalog } from '../main/models/catalog.ts'
import { ModelLibrary, type VerifiedModel } from '../main/models/library.ts'
import { dataPaths, makeDataDir } from '../main/storage/files.ts'
import { lockInstance } from '../main/storage/instance-lock.ts'
import { openSecretStore } from '../main/wallet/secret-store.ts'
import { openVault } from '../main/wallet/vault.ts'

const rounds = Number(process.argv[2] ?? 30)
const warmUps = 2
const limitMs = 300
const given = process.env.COCOON_DATA_DIR
const dataDir = given ?? mkdtempSync(join(tmpdir(), 'cocoon-bench-'))
const paths = dataPaths(dataDir)
const logger = createLogger((line) => process.stderr.write(`${line}\n`), process.env.VERBOSE ? 'debug' : 'error')

/** When the newest generation gave its last text, and when the engine said that it had ended. By performance.now(). */
interface Seen {
  lastTokenAt: number
  ended: PromiseWithResolvers<number>
}

/** The engine itself; the events of its generations are looked at on their way. */
function watched(engine: Engine, seen: Seen): Engine {
  async function* look(events: AsyncIterable<EngineEvent>): AsyncGenerator<EngineEvent> {
    const { ended } = seen
    try {
      for await (const event of events) {
        if (event.type === 'text') seen.lastTokenAt = performance.now()
        else ended.resolve(performance.now())
        yield event
      }
    } finally {
      // The worker waited no longer for the engine's own word: nobody saw this generation end in time.
      ended.resolve(Number.POSITIVE_INFINITY)
    }
  }
  return {
    state: engine.state,
    chat: (messages, options, signal) => look(engine.chat(messages, options, signal)),
    complete: (prompt, options, signal) => look(engine.complete(prompt, options, signal)),
  }
}

interface Round {
  readonly endedMs: number
  readonly lastTokenMs: number
  readonly usageMs: number
}

/** Stops one answer after some of its text came; the number of texts differs, so that the stop falls anywhere between two tokens. */
async function stopOne(client: Client, model: string, seen: Seen, index: number): Promise<Round> {
  seen.ended = Promise.withResolvers()
  seen.lastTokenAt = 0
  const stop = new AbortController()
  const messages = [{ role: 'user', content: `Write a long story about a lighthouse, part ${index + 10}. Take your time.` }]
  const body = JSON.stringify({ model, messages, stream: true, max_tokens: 512 })
  const query = client.runChat({ model, body, maxTokens: 512 }, stop.signal)
  const stopAfter = 5 + (index % 11)
  let texts = 0
  let cancelledAt = 0
  for await (const event of readChatCompletion(query.body)) {
    if (event.type !== 'text' || ++texts !== stopAfter) continue
    await new Promise((resolve) => setTimeout(resolve, (index * 7) % 13))
    cancelledAt = performance.now()
    stop.abort()
  }
  const end = await query.end
  const usageAt = performance.now()
  if (cancelledAt === 0) throw new Error(`The answer of round ${index} ended after ${texts} texts, before it could be stopped.`)
  if (end.stopped !== 'ended' || !end.tokens || end.tokens.completion === 0n)
    throw new Error(`Round ${index} did not end with a usage: ${end.stopped}.`)
  const endedAt = await seen.ended.promise
  return { endedMs: endedAt - cancelledAt, lastTokenMs: seen.lastTokenAt - cancelledAt, usageMs: usageAt - cancelledAt }
}

async function obtainModel(library: ModelLibrary): Promise<VerifiedModel> {
  await library.start()
  const models = library.models.value
  const chosen = models.find(({ origin, status }) => origin === 'catalog' && status === 'installed') ?? models[0]
  if (!chosen) throw new Error('There is no model.')
  await library.download(chosen.id)
  return library.verify(chosen.id)
}

const at = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.ceil(values.length * part) - 1)] ?? Number.NaN
const line = (name: string, values: readonly number[]): string =>
  `${name.padEnd(44)} p50 ${at(values, 0.5).toFixed(1)} ms, p90 ${at(values, 0.9).toFixed(1)} ms, max ${Math.max(...values).toFixed(1)} ms`
const load = (): string =>
  loadavg()
    .map((value) => value.toFixed(2))
    .join(' ')

makeDataDir(dataDir)
const lock = lockInstance(paths.lock)
const entries = childEntries(new URL('../main/core.ts', import.meta.url).href)
const engine = new LocalEngine({ entryPath: entries.engine, logger })
const vault = await openVault(paths)
const secretStore = openSecretStore(paths.secrets, vault.derive('secrets'))
let network: LocalNetwork | undefined
try {
  const model = await obtainModel(new ModelLibrary({ folder: paths.models, catalog: shippedCatalog(), logger }))
  await engine.load({ path: model.path, name: model.name, sampling: model.sampling })
  const secrets = await localSecrets(secretStore, paths)
  network = new LocalNetwork({ paths, secrets, entries, progress: new StartProgress(logger), paused: false, logger })
  await network.start()
  const live = network.live.value
  if (!live) throw network.failure.value ?? new Error('The network did not start.')
  const seen: Seen = { lastTokenAt: 0, ended: Promise.withResolvers() }
  const { baseName, fullName } = model.identity
  const backend = createEngineBackend({ engine: watched(engine, seen), model: baseName })
  await network.serve({ backend, modelName: fullName, engine: 'builtin' })
  await live.client.whenReady(AbortSignal.timeout(120_000))
  const deadline = performance.now() + 60_000
  while (!(await live.client.models()).some((offer) => offer.model === baseName && offer.workers.length > 0)) {
    if (performance.now() > deadline) throw new Error('The worker did not come.')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }

  const before = load()
  const results: Round[] = []
  for (let index = -warmUps; index < rounds; index++) {
    const result = await stopOne(live.client, baseName, seen, index + warmUps)
    if (index >= 0) results.push(result)
  }
  const ended = results.map(({ endedMs }) => endedMs)
  console.log(
    `${rounds} answers of ${model.name} stopped, after ${warmUps} to warm up; ${cpus().length} cores, load before ${before}, after ${load()}`,
  )
  console.log(line('Cancel to the end of the generation:', ended))
  console.log(
    line(
      'Cancel to the last token of the engine:',
      results.map(({ lastTokenMs }) => Math.max(0, lastTokenMs)),
    ),
  )
  console.log(
    line(
      'Cancel to the final usage at the client:',
      results.map(({ usageMs }) => usageMs),
    ),
  )
  const p90 = at(ended, 0.9)
  console.log(p90 <= limitMs ? `Within the limit of ${limitMs} ms (p90).` : `ABOVE the limit of ${limitMs} ms (p90).`)
  if (!(p90 <= limitMs)) process.exitCode = 1
} finally {
  await engine.dispose()
  await network?.stop()
  secretStore.close()
  vault.close()
  lock.release()
  if (!given) rmSync(dataDir, { recursive: true, force: true })
}
