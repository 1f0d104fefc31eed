import v8 from 'node:v8'
import vm from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import type { Finding, FuzzJob, FuzzMessage } from './fuzz-job.ts'
import { mostInputBytes, mutate } from './mutate.ts'
import { Random } from './random.ts'
import type { FuzzTarget } from './target.ts'

const job: FuzzJob = workerData
const { fuzzTargets } = (await import(job.targets)) as { fuzzTargets: readonly FuzzTarget[] }
const targets = fuzzTargets.filter(({ name }) => job.names.includes(name))
const numbers = new Int32Array(job.present, 0, 3)
const shown = new Uint8Array(job.present, 12)
v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

/** One target runs for so long before the next has its turn. */
const turnMs = 50
/** Processor time of one input beyond which it counts as a hang. */
const mostInputMs = 1_000
const kept = new Set<string>()
const inputs: Record<string, number> = {}
const random = new Random(job.seed)

function heldBytes(): number {
  collect()
  collect()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

function report(target: FuzzTarget, what: string, input: Uint8Array): void {
  // One input for each way to fail is enough.
  const key = `${target.name} ${what.split('\n').slice(0, 3).join(' ')}`
  if (kept.has(key) || kept.size > 50) return
  kept.add(key)
  const finding: Finding = { target: target.name, what, hex: Buffer.from(input).toString('hex') }
  parentPort?.postMessage({ kind: 'finding', finding } satisfies FuzzMessage)
}

function turn(target: FuzzTarget, number: number): number {
  const until = performance.now() + turnMs
  let tried = 0
  let cpuBefore = process.threadCpuUsage().user
  let input: Uint8Array = new Uint8Array()
  numbers[0] = number
  while (performance.now() < until) {
    for (let i = 0; i < 16; i++) {
      input =
        target.grow !== undefined && random.oneIn(2) ? target.grow(random) : mutate(random, target.corpus, target.dictionary)
      numbers[2] = input.length
      shown.set(input.length > mostInputBytes ? input.subarray(0, mostInputBytes) : input)
      Atomics.add(numbers, 1, 1)
      try {
        target.run(input)
      } catch (error) {
        report(target, error instanceof Error ? `${error.stack ?? error.message}` : String(error), input)
      }
      tried++
      if (i % 4 !== 3) continue
      const cpu = process.threadCpuUsage().user
      if (cpu - cpuBefore > mostInputMs * 1000) report(target, `took ${Math.round((cpu - cpuBefore) / 1000)} ms`, input)
      cpuBefore = cpu
    }
  }
  return tried
}

// Everything is compiled and every cache filled before the first measure, and does not count.
for (const [i, target] of targets.entries()) for (let warm = 0; warm < 4; warm++) turn(target, i)
const heldBefore = heldBytes()
const total = (): number => Object.values(inputs).reduce((sum, count) => sum + count, 0)
const startedAt = performance.now()
while (performance.now() - startedAt < job.seconds * 1000 && (job.inputs === 0 || total() < job.inputs))
  for (const [i, target] of targets.entries()) inputs[target.name] = (inputs[target.name] ?? 0) + turn(target, i)
const tookMs = performance.now() - startedAt
parentPort?.postMessage({ kind: 'done', inputs, tookMs, grewBytes: heldBytes() - heldBefore } satisfies FuzzMessage)
