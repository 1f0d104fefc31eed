/**
 * `npm run bench:gateway`: what each way adds to an answer of this computer's engine, in the same run: time to the first word, time for each token, and
 * how soon the engine hears that its answer is given up. The ways: the local API over a real socket with a key, and the whole network path (client →
 * proxy → worker, real sockets, sealed and signed), against the engine's own OpenAI form without HTTP, which stands behind all of them. Same questions,
 * all warm, taken in turns so that the machine's mood falls on all alike. Ends with 1 when a target is missed.
 *
 *   bench-gateway.ts [rounds]      40 by default; a GGUF file by the variable MODEL (a small random one otherwise)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLogger } from '../main/base/logger.ts'
import { Gateway } from '../main/gateway/gateway.ts'
import { gatewayMigrations } from '../main/gateway/gateway-tables.ts'
import { localBackend } from '../main/gateway/local-backend.ts'
import { LocalEngine } from '../main/inference/local-engine.ts'
import { createEngineBackend } from '../main/inference/openai.ts'
import { tinyGgufFile } from '../main/inference/testing/tiny-gguf.ts'
import { openDatabase } from '../main/storage/database.ts'
import type { Timed } from './bench-gateway/answer-watch.ts'
import { type LocalPath, openLocalPath } from './bench-gateway/local-path.ts'
import { endlessBackend, instantBackend, MeasuredBackend } from './bench-gateway/measured-backend.ts'
import { bareSide, gatewaySide, networkSide, type Side } from './bench-gateway/sides.ts'

const rounds = Number(process.argv[2] ?? 40)
const tokens = 64
const warmUp = 5
/** To the first word, in ms. */
const targets = [Number.NaN, 3, 10] as const
const abortTargetMs = 50

const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) * part)] ?? Number.NaN

/** All sides in turns; who goes first changes. */
async function compared(sides: readonly Side[], count: number): Promise<Timed[][]> {
  const results: Timed[][] = sides.map(() => [])
  for (let round = -warmUp; round < count; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const at = (turn + round + warmUp) % sides.length
      // Worded differently, so that no cached prompt helps one side.
      const timed = await sides[at]?.ask(`${round + warmUp}.${at}: tell about it.`)
      if (round >= 0 && timed !== undefined) results[at]?.push(timed)
    }
  }
  return results
}

/** What each way adds to the first word. Of neighbours in time, so that a machine with other work to do does not decide. */
function show(sides: readonly Side[], results: readonly Timed[][]): number[] {
  return results.map((timed, at) => {
    const first = timed.map(({ firstMs }) => firstMs)
    const each = timed.map(({ perTokenMs }) => perTokenMs)
    const [low, middle, high] = [0.1, 0.5, 0.9].map((part) => quantile(first, part).toFixed(2))
    const of = (name: keyof Timed): number =>
      quantile(
        timed.map((one, index) => one[name] - (results[0]?.[index]?.[name] ?? Number.NaN)),
        0.5,
      )
    const adds =
      at === 0 ? '' : `; adds ${of('firstMs').toFixed(2)} ms, and ${(of('perTokenMs') * 1000).toFixed(0)} µs to each token`
    const name = `${sides[at]?.name}:`.padEnd(23)
    console.log(
      `  ${name} first word ${middle} ms (p10 ${low}, p90 ${high}), then ${quantile(each, 0.5).toFixed(3)} ms a token${adds}`,
    )
    return of('firstMs')
  })
}

async function aborts(sides: readonly Side[], backend: MeasuredBackend, count: number): Promise<number[]> {
  const results: number[][] = sides.map(() => [])
  for (let round = -1; round < count; round++)
    for (const [at, side] of sides.entries()) {
      backend.ended = Promise.withResolvers()
      const tookMs = -(await side.abort()) + (await backend.ended.promise)
      if (round >= 0) results[at]?.push(tookMs)
    }
  return results.map((ms, at) => {
    console.log(
      `  ${`${sides[at]?.name}:`.padEnd(23)} median ${quantile(ms, 0.5).toFixed(1)} ms, p90 ${quantile(ms, 0.9).toFixed(1)} ms, most ${Math.max(...ms).toFixed(1)} ms`,
    )
    return quantile(ms, 0.9)
  })
}

let missed = 0
function target(name: string, found: string, isMet: boolean): void {
  if (!isMet) missed++
  console.log(`${isMet ? 'met   ' : 'MISSED'} ${name}: ${found}`)
}
const load = (): string => loadavg()[0]?.toFixed(1) ?? '?'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-bench-gateway-'))
const entryPath = fileURLToPath(new URL('../main/inference/engine-process.ts', import.meta.url))
const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false })
const backend = new MeasuredBackend(instantBackend(tokens))
const database = openDatabase(join(folder, 'gateway.db'), gatewayMigrations, { logger: silentLogger })
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
let path: LocalPath | undefined
let sides: Side[] = []
try {
  await engine.load({ path: process.env.MODEL ?? (await tinyGgufFile()), name: 'Model' })
  await gateway.apply({ enabled: true, port: 0 })
  const terms = { name: 'bench', level: 'computer' as const, models: null, origins: [], dailyLimit: 0n, consent: false }
  const { secret } = gateway.createKey(terms)
  path = await openLocalPath(join(folder, 'network'), backend)
  sides = [bareSide(backend, tokens), gatewaySide(gateway.view().port, secret, tokens), networkSide(path, backend.model, tokens)]
  console.log(
    `Medians, ${tokens} tokens an answer, sides in turns, after ${warmUp} rounds to warm up; differences of neighbours; ${cpus().length} cores, load ${load()}`,
  )
  console.log(`An engine that answers at once, ${rounds * 5} rounds:`)
  const own = show(sides, await compared(sides, rounds * 5))
  console.log(`From giving an answer up to the engine's hearing of it, ${rounds} rounds:`)
  backend.behind = endlessBackend()
  const ended = await aborts(sides, backend, rounds)
  backend.behind = createEngineBackend({ engine, model: backend.model })
  console.log(`The real engine on one thread, ${rounds} rounds:`)
  show(sides, await compared(sides, rounds))
  // Against the real engine the difference is smaller than what the engine itself varies by, so the targets are judged without it.
  for (const [at, side] of sides.entries()) {
    const [found = Number.NaN, most = Number.NaN, abort = Number.NaN] = [own[at], targets[at], ended[at]]
    if (at > 0) target(`${side.name}, under ${most} ms added to the first word`, `${found.toFixed(2)} ms`, found < most)
    target(`${side.name}, given up in under ${abortTargetMs} ms (p90)`, `${abort.toFixed(1)} ms`, abort < abortTargetMs)
  }
  console.log(`load after: ${load()}`)
  process.exitCode = missed > 0 ? 1 : 0
} finally {
  for (const side of sides) side.close()
  await path?.stop()
  await gateway.stop()
  database.close()
  await engine.dispose()
  rmSync(folder, { recursive: true, force: true })
}
