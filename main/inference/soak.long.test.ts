/**
 * Constant load on one engine with everything that may happen to it: loads, unloads, sleep, yielding, stopped and abandoned answers, and kills. Minutes
 * by COCOON_SOAK_MINUTES, 20 by default: the first half with faults, the second calm, on one process, to see its memory.
 */
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { asError, Failure } from '../base/failure.ts'
import { alive } from '../base/testing/alive.ts'
import type { ChatMessage, GenerationOptions } from './engine.ts'
import { LocalEngine } from './local-engine.ts'
import type { ModelToLoad } from './local-engine-options.ts'
import { tinyGgufFile } from './testing/tiny-gguf.ts'

const minutes = Number(process.env.COCOON_SOAK_MINUTES ?? 20)
const entryPath = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
/** What a request may fail with while the engine is tortured; it is asked again until it is answered. */
const expected = new Set(['engine-crashed', 'engine-not-ready', 'engine-yielded'])
/** On a busy machine a load takes its time; a request that takes longer than this is lost. */
const longestMs = 300_000

setFlagsFromString('--expose_gc')
const collect: () => void = runInNewContext('gc')

interface Counts {
  asked: number
  answered: number
  stopped: number
  left: number
  again: number
}

const tool = {
  name: 'weather',
  parameters: { type: 'object', properties: { city: { enum: ['Rome', 'Oslo'] } }, required: ['city'] },
}
const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] }
const forms: readonly GenerationOptions[] = [
  {},
  { lane: 'served' },
  { lane: 'app', cacheScope: 'app' },
  { logprobs: 2 },
  { output: { kind: 'json-schema', schema }, maxTokens: 100 },
  { tools: [tool], toolChoice: 'required', maxTokens: 200 },
]

/** One request, asked again until it is answered. Throws for anything that may not happen. */
async function ask(engine: LocalEngine, counts: Counts): Promise<void> {
  counts.asked++
  const lost = new AbortController()
  // Not a signal with its own time: those stay in memory until it is over.
  const timer = setTimeout(() => lost.abort(), longestMs)
  try {
    while (!(await attempt(engine, randomInt(10), counts, lost.signal))) await pause(50)
  } finally {
    clearTimeout(timer)
  }
}

/** False for what may be asked again. */
async function attempt(engine: LocalEngine, wish: number, counts: Counts, lost: AbortSignal): Promise<boolean> {
  try {
    if (wish === 0) {
      const { vectors } = await engine.embed([`text ${randomInt(1_000)}`, 'other'], lost)
      if (vectors.length !== 2) throw new Error('a vector is missing')
    } else if (!(await answered(engine, wish, counts, lost))) return true
    if (lost.aborted) throw new Error('a request was lost')
    counts.answered++
    return true
  } catch (error) {
    if (lost.aborted || !(error instanceof Failure && expected.has(error.code))) throw error
    counts.again++
    return false
  }
}

/** False when it was stopped or abandoned on purpose. */
async function answered(engine: LocalEngine, wish: number, counts: Counts, limit: AbortSignal): Promise<boolean> {
  const stop = new AbortController()
  const beginning = 'Rules of the house. '.repeat(randomInt(12))
  const messages: ChatMessage[] = [{ role: 'user', content: `${beginning}Question ${randomInt(1_000_000)}?` }]
  const form = forms[randomInt(forms.length)] ?? {}
  let texts = 0
  let reason: string | undefined
  const signal = AbortSignal.any([stop.signal, limit])
  for await (const event of engine.chat(messages, { maxTokens: 8 + randomInt(56), ...form }, signal)) {
    if (event.type === 'done') reason = event.reason
    else if (++texts === 3 && wish === 1) stop.abort()
    else if (texts === 3 && wish === 2) {
      counts.left++
      return false
    }
  }
  if (reason === undefined) throw new Error('an answer ended without its end')
  if (stop.signal.aborted) {
    counts.stopped++
    return false
  }
  return true
}

async function torture(
  engine: LocalEngine,
  models: readonly ModelToLoad[],
  pids: Set<number>,
  counts: Counts,
  signal: AbortSignal,
): Promise<number> {
  let faults = 0
  while (!signal.aborted) {
    // On a busy machine a load may take longer than the pause: some are to be answered between two faults.
    const { answered } = counts
    await pause(1_000 + randomInt(3_000))
    while (counts.answered < answered + 2 && !signal.aborted) await pause(100)
    const { pid } = engine
    if (pid !== undefined) pids.add(pid)
    faults++
    const model = models[randomInt(models.length)]
    if (model === undefined) throw new Error('no model')
    switch (randomInt(6)) {
      case 0:
        await engine.unload()
        await pause(100)
        await engine.load(model)
        break
      case 1:
        await engine.load(model)
        break
      case 2:
        await engine.sleep()
        break
      case 3:
        await engine.release({ graceMs: randomInt(500) })
        await pause(200)
        await engine.resume()
        break
      default:
        // Also while it loads, once; it comes back by itself.
        if (pid !== undefined && alive(pid)) process.kill(pid, 'SIGKILL')
        await recovered(engine)
    }
  }
  return faults
}

async function recovered(engine: LocalEngine): Promise<void> {
  for await (const { status } of engine.state.values(AbortSignal.timeout(longestMs)))
    if (status === 'ready' || status === 'asleep') return
  throw new Error('the engine did not come back')
}

/** Processes of the engine that this one started; undefined where the system does not list them. */
function children(): number[] | undefined {
  if (!existsSync('/proc/self/stat')) return undefined
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return (
          Number(parent) === process.pid &&
          state !== 'Z' &&
          readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('engine-process')
        )
      } catch {
        return false
      }
    })
    .map(Number)
}

function residentBytes(pid: number): number | undefined {
  try {
    const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return kib === undefined ? undefined : Number(kib) * 1024
  } catch {
    return undefined
  }
}

function heapBytes(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const part = (values: readonly number[], from: number, to: number): readonly number[] =>
  values.slice(Math.floor(values.length * from), Math.ceil(values.length * to))

it(`answers every request for ${minutes} minutes of faults and load, in the memory of the beginning`, async () => {
  const engine = new LocalEngine({
    ...{
      entryPath,
      gpu: false,
      threads: 1,
      sequences: 2,
      keepOwn: true,
      background: false,
      restartPauseMs: 50,
      idleUnloadMs: 2_000,
    },
  })
  const models = [
    { path: await tinyGgufFile(), name: 'one' },
    { path: await tinyGgufFile({ seed: 2 }), name: 'two' },
  ]
  const counts: Counts = { asked: 0, answered: 0, stopped: 0, left: 0, again: 0 }
  const pids = new Set<number>()
  const heaps: number[] = []
  const faulty = new AbortController()
  const over = new AbortController()
  let firstError: Error | undefined
  await engine.load({ ...models[0], path: models[0]?.path ?? '', name: 'one' })
  const clients = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) await ask(engine, counts)
  }).map((client) =>
    client.catch((error: unknown) => {
      firstError ??= asError(error)
      faulty.abort()
      over.abort()
    }),
  )
  const watch = async (ms: number, sample: () => void): Promise<void> => {
    const endMs = performance.now() + ms
    while (performance.now() < endMs && firstError === undefined) {
      await pause(Math.min(2_000, ms / 20))
      heaps.push(heapBytes())
      sample()
    }
  }
  const faults = torture(engine, models, pids, counts, faulty.signal)
  await watch(minutes * 30_000, () => expect(children()?.length ?? 0).toBeLessThanOrEqual(2))
  faulty.abort()
  const faultCount = await faults
  // One process from here on; the last fault may have left none.
  await ask(engine, counts)
  const { pid } = engine
  const resident: number[] = []
  let processes = 0
  let isSame = true
  await watch(minutes * 30_000, () => {
    const bytes = pid === undefined ? undefined : residentBytes(pid)
    // What is measured must be the engine that answers, all the time.
    isSame &&= pid !== undefined && engine.pid === pid && (bytes !== undefined || process.platform !== 'linux')
    // Elsewhere than on Linux the system does not tell it this way.
    resident.push(bytes ?? 1)
    processes = Math.max(processes, children()?.length ?? 1)
  })
  over.abort()
  await Promise.all(clients)
  if (engine.pid !== undefined) pids.add(engine.pid)
  await engine.dispose()

  const growth = (values: readonly number[]): number => median(part(values, 0.8, 1)) / median(part(values, 0.2, 0.4)) - 1
  const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
  process.stdout.write(
    `${JSON.stringify({ minutes, faults: faultCount, ...counts, processes: pids.size, heapMiB: median(heaps) / 2 ** 20, engineMiB: median(resident) / 2 ** 20 })}\n` +
      `growth: own heap ${percent(growth(heaps))}, engine process ${percent(growth(resident))}\n`,
  )
  expect(firstError).toBeUndefined()
  expect(counts.asked).toBe(counts.answered + counts.stopped + counts.left)
  expect(counts.answered).toBeGreaterThan(minutes)
  expect(isSame).toBe(true)
  expect(faultCount).toBeGreaterThan(0)
  expect([...pids].filter(alive)).toEqual([])
  expect(children() ?? []).toEqual([])
  expect(processes).toBeLessThanOrEqual(1)
  expect(growth(heaps)).toBeLessThan(0.05)
  expect(growth(resident)).toBeLessThan(0.05)
})
