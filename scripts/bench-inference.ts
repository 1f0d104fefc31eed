/**
 * `npm run bench:inference`: the engine process against the library alone, in the same run: same GGUF, threads, context, places and prompts,
 * greedy sampling, in turns, so that the machine's mood falls on both alike. Each ratio is one of the same round; the median of the rounds is
 * shown. The answers must be the same letter by letter. Ends with 1 when a target is missed.
 *
 *   bench-inference.ts [--model file.gguf] [--rounds 5 (one at a time: 20)] [--threads 1] [--tokens 64] [--parallel 1,4,8] [--python python3]
 *
 * Where the given Python has the package xllamacpp, llama.cpp's own server takes part in the same rounds, and is compared with; no target hangs on it.
 * Without --model the first of the catalog, in the data folder of COCOON_DATA_DIR, or a new one (then it is downloaded).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { silentLogger } from '../main/base/logger.ts'
import { shippedCatalog } from '../main/models/catalog.ts'
import { ModelLibrary } from '../main/models/library.ts'
import { dataPaths, makeDataDir } from '../main/storage/files.ts'
import { bareSide } from './bench-inference/bare-side.ts'
import { engineSide, measureAborts, measurePrefix } from './bench-inference/engine-side.ts'
import { llamaServerSide } from './bench-inference/llama-server-side.ts'
import { type Answer, cpuMsOf, figuresOf, type RunFigures, type Side } from './bench-inference/side.ts'
import { median } from './median.ts'

const { values: given } = parseArgs({
  options: {
    model: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '64' },
    parallel: { type: 'string', default: '1,4,8' },
    python: { type: 'string', default: 'python3' },
  },
})
const rounds = Number(given.rounds)
/** One answer alone is over soon, and the machine's mood changes within it: few rounds of it say nothing. */
const roundsOf = (parallel: number): number => Math.ceil(rounds * Math.max(1, 4 / parallel))
const threads = Number(given.threads)
const tokens = Number(given.tokens)
const parallels = given.parallel.split(',').map(Number)
const sequences = Math.max(...parallels)
const topics = ['a lighthouse', 'the sea', 'a train', 'bread', 'the moon', 'a garden', 'glass', 'winter', 'a bridge', 'honey']
let asked = 0

/** About 100 tokens, different from the first word on, so that no cache helps. */
function prompt(): string {
  const number = ++asked
  const topic = topics[number % topics.length]
  const notes = Array.from({ length: 8 }, (_, index) => `note ${index + 1} of ${number} says that ${topic} is old`).join('; ')
  return `<|im_start|>user\n${number}: ${notes}. Tell a long story about ${topic}.<|im_end|>\n<|im_start|>assistant\n`
}

async function findModel(): Promise<{ path: string; name: string; done: () => void }> {
  if (given.model !== undefined) return { path: given.model, name: given.model.split('/').at(-1) ?? '', done: () => undefined }
  const kept = process.env.COCOON_DATA_DIR
  const dataDir = kept ?? mkdtempSync(join(tmpdir(), 'cocoon-bench-'))
  makeDataDir(dataDir)
  const library = new ModelLibrary({ folder: dataPaths(dataDir).models, catalog: shippedCatalog(), logger: silentLogger })
  await library.start()
  const [first] = library.models.value
  if (first === undefined) throw new Error('There is no model.')
  await library.download(first.id)
  const { path, name } = await library.verify(first.id)
  await library.stop()
  return { path, name, done: () => kept ?? rmSync(dataDir, { recursive: true, force: true }) }
}

interface Sides {
  readonly bare: Side
  readonly ours: Side
  readonly server: Side | undefined
}

interface Compared {
  readonly parallel: number
  readonly bare: RunFigures[]
  readonly ours: RunFigures[]
  /** Empty where there is no such server. */
  readonly server: RunFigures[]
}

async function compare({ bare, ours, server }: Sides, parallel: number, rounds: number): Promise<Compared> {
  const result: Compared = { parallel, bare: [], ours: [], server: [] }
  for (let round = 0; round < rounds; round++) {
    const prompts = Array.from({ length: parallel }, prompt)
    const all = [[bare, result.bare], [ours, result.ours], ...(server ? [[server, result.server] as const] : [])] as const
    const order = round % 2 === 0 ? all : all.toReversed()
    const answers = new Map<Side, readonly Answer[]>()
    for (const [side, figures] of order) {
      const before = cpuMsOf(side.pid)
      answers.set(side, await side.run(prompts, tokens))
      figures.push(figuresOf(answers.get(side) ?? [], cpuMsOf(side.pid) - before))
    }
    const [left, right] = [answers.get(bare) ?? [], answers.get(ours) ?? []]
    if ([...left, ...right].some(({ text }) => text === '')) throw new Error(`Round ${round + 1}: an answer is empty.`)
    const different = left.findIndex(({ text }, index) => !text.startsWith(right[index]?.text ?? '?'))
    if (different >= 0)
      console.log(
        `  (round ${round + 1}: answer ${different + 1} differs from that of the library alone: batches were cut differently)`,
      )
  }
  return result
}

const ratio = ({ bare, ours }: Compared, pick: (figures: RunFigures) => number, to = bare): number =>
  median(ours.map((figures, index) => pick(figures) / pick(to[index] ?? figures)))
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
let missed = 0
function target(name: string, found: string, isMet: boolean): void {
  if (!isMet) missed++
  console.log(`${isMet ? 'met   ' : 'MISSED'} ${name}: ${found}`)
}

const model = await findModel()
const setup = { modelPath: model.path, threads, sequences, contextTokens: 2048 }
const bare = await bareSide(setup)
const ours = await engineSide(setup)
const found = await llamaServerSide(given.python, setup)
const server = typeof found === 'string' ? undefined : found
const sides: Sides = { bare, ours, server }
try {
  if (typeof found === 'string') console.log(`llama.cpp's own server: skipped (${found})`)
  console.log(
    `${model.name}, ${threads} of ${cpus().length} threads, ${sequences} places, ${tokens} tokens each, ${parallels.map((parallel) => `${roundsOf(parallel)} rounds`).join(', ')} in turns; load ${loadavg()[0]?.toFixed(1)}`,
  )
  await compare(sides, 1, 1)
  const results: Compared[] = []
  for (const parallel of parallels) results.push(await compare(sides, parallel, roundsOf(parallel)))
  console.log('parallel  side                 prompt/s  decode/s   whole/s  first token ms  CPU ms/token')
  for (const { parallel, ...found } of results)
    for (const [name, figures] of [
      [bare.name, found.bare],
      [ours.name, found.ours],
      ...(server ? [[server.name, found.server] as const] : []),
    ] as const) {
      const show = (pick: (one: RunFigures) => number): string => median(figures.map(pick)).toFixed(1).padStart(10)
      console.log(
        `${String(parallel).padEnd(9)} ${name.padEnd(18)} ${show((one) => one.promptPerS)}${show((one) => one.decodePerS)}${show((one) => one.wholePerS)}${show((one) => one.firstMs)}    ${show((one) => one.cpuMsPerToken)}`,
      )
    }
  for (const result of results)
    console.log(
      `${result.parallel} at a time, engine process to library: prompt ${percent(ratio(result, (one) => one.promptPerS))}, decode ${percent(ratio(result, (one) => one.decodePerS))}, whole ${percent(ratio(result, (one) => one.wholePerS))}, first token ${percent(ratio(result, (one) => one.firstMs))}, CPU time ${percent(ratio(result, (one) => one.cpuMsPerToken))}`,
    )
  for (const result of results) {
    const addedMs = median(result.ours.map(({ firstMs }, index) => firstMs - (result.bare[index]?.firstMs ?? Number.NaN)))
    console.log(`${result.parallel} at a time, the engine process adds ${addedMs.toFixed(1)} ms to the library's first token`)
    if (server)
      console.log(
        `${result.parallel} at a time, engine process to llama.cpp's server: prompt ${percent(ratio(result, (one) => one.promptPerS, result.server))}, decode ${percent(ratio(result, (one) => one.decodePerS, result.server))}, whole ${percent(ratio(result, (one) => one.wholePerS, result.server))}, first token ${percent(ratio(result, (one) => one.firstMs, result.server))}, CPU time ${percent(ratio(result, (one) => one.cpuMsPerToken, result.server))}`,
      )
  }
  const aborts = await measureAborts(ours.engine, prompt, rounds * 4)
  const prefix = await measurePrefix(
    ours.engine,
    Array.from({ length: 125 }, (_, index) => `Line ${index} is about ${topics[index % 10]}.`).join(' '),
    rounds,
  )
  console.log(
    `Same beginning of ${prefix.prefixTokens} tokens: first token after ${prefix.firstMs.toFixed(0)} ms the first time, ${prefix.againMs.toFixed(0)} ms again`,
  )
  const one = results.find(({ parallel }) => parallel === 1)
  const most = results.findLast(({ parallel }) => parallel > 1)
  if (one !== undefined) {
    const found = ratio(one, ({ decodePerS }) => decodePerS)
    target('decode at 1 at least 98 % of the library', percent(found), found >= 0.98)
  }
  if (most !== undefined) {
    const found = ratio(most, ({ wholePerS }) => wholePerS)
    target(`all tokens at ${most.parallel} at least 95 % of the library's own batching`, percent(found), found >= 0.95)
  }
  target('abort under 50 ms', `median ${aborts.median.toFixed(1)} ms, most ${aborts.most.toFixed(1)} ms`, aborts.most < 50)
  target('a repeated beginning of 1,000 tokens skips at least 95 % of it', percent(prefix.skipped), prefix.skipped >= 0.95)
  console.log(`load after: ${loadavg()[0]?.toFixed(1)}`)
} finally {
  await server?.stop()
  await ours.stop()
  await bare.stop()
  model.done()
}
process.exitCode = missed > 0 ? 1 : 0
