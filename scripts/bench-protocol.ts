/**
 * `npm run bench:protocol`: what the network itself costs. Client, proxy and worker run as an operator runs them, each a process of
 * `cocoon-desktop`, on a network without a chain, over loopback sockets with proof of work, TLS 1.3 and frames; a load generator and an engine
 * that answers at once are two more processes. All share the cores of this computer. For each step the engine is also asked alone, and, for the
 * floor under all of it, through hops that only pass bytes on.
 *
 *   --seconds <n>     measured time of each step (default 5)
 *   --warmup <n>      requests before the first step, so that the code is compiled (default 30000; streams a hundredth of it)
 *   --runs <n>        each step so often, the best one is shown (default 3)
 *   --in-flight <l>   requests in flight, e.g. 1,16,64,256; none leaves these steps out
 *   --idle <n>        idle workers for the memory of a connection (default 1000; 0 leaves it out)
 *   --profile <dir>   CPU profiles of the three roles in <dir>/documents and <dir>/streams (16 in flight, nothing else)
 *   --json <file>     the figures for other programs
 */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type BareChain, startBareChain } from './bench-protocol/bare-chain.ts'
import { measureIdle } from './bench-protocol/idle-memory.ts'
import type { LoadReport } from './bench-protocol/load-generator.ts'
import { layout, type Network, startNetwork } from './bench-protocol/network.ts'
import { ask, cpuMs } from './bench-protocol/processes.ts'
import { reference, targets } from './bench-protocol/reference.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '30000' },
    runs: { type: 'string', default: '3' },
    'in-flight': { type: 'string', default: '1,16,64,256' },
    idle: { type: 'string', default: '1000' },
    profile: { type: 'string' },
    json: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
const runs = Number(values.runs)
const levels = values['in-flight'] === 'none' ? [] : values['in-flight'].split(',').map(Number)
const warmup = 400

interface Step {
  readonly name: string
  readonly inFlight: number
  readonly stream: boolean
  readonly report: LoadReport
  readonly perSecond: number
  /** CPU time per request, microseconds, by process. */
  readonly cpuUs: Readonly<Record<string, number>>
}

async function measure(
  network: Pick<Network, 'load' | 'pids'>,
  name: string,
  port: number,
  inFlight: number,
  stream: boolean,
): Promise<Step> {
  const before = Object.entries(network.pids).map(([role, pid]) => [role, cpuMs(pid)] as const)
  const report = await ask<LoadReport>(network.load, { port, inFlight, seconds, warmup: stream ? 2 * inFlight : warmup, stream })
  // The warm-up is in the CPU time, so it is in the number that divides it.
  const all = report.answered + report.refused + (stream ? 2 * inFlight : warmup)
  const cpuUs = Object.fromEntries(before.map(([role, ms]) => [role, ((cpuMs(network.pids[role] ?? 0) - ms) * 1000) / all]))
  return { name, inFlight, stream, report, perSecond: (report.answered / report.elapsedMs) * 1000, cpuUs }
}

/** The best of several runs; a refusal or a break in any of them is not hidden. */
async function best(
  network: Pick<Network, 'load' | 'pids'>,
  name: string,
  port: number,
  inFlight: number,
  stream: boolean,
): Promise<Step> {
  const steps: Step[] = []
  for (let run = 0; run < runs; run++) steps.push(await measure(network, name, port, inFlight, stream))
  const [first, ...rest] = steps.sort((one, other) => other.perSecond - one.perSecond)
  if (first === undefined) throw new Error('--runs must be at least 1')
  const refused = rest.reduce((sum, { report }) => sum + report.refused, first.report.refused)
  const broken = rest.reduce((sum, { report }) => sum + report.broken, first.report.broken)
  const firstRefusal = steps.map(({ report }) => report.firstRefusal).find((text) => text !== '') ?? ''
  return { ...first, report: { ...first.report, refused, broken, firstRefusal } }
}

const ms = (value: number): string => `${value.toFixed(2)} ms`
const us = (value: number | undefined): string => `${Math.round(value ?? Number.NaN)}`.padStart(6)

function show(step: Step, direct: Step | undefined, withCpu = direct !== undefined): void {
  const { report, cpuUs } = step
  const added =
    direct === undefined
      ? ''
      : `, added p50 ${ms(report.p50Ms - direct.report.p50Ms)} p99 ${ms(report.p99Ms - direct.report.p99Ms)}`
  const ratio = direct === undefined ? '' : ` (1/${(direct.perSecond / step.perSecond).toFixed(1)} of the engine alone)`
  const events = step.stream ? `, ${Math.round((report.events / report.elapsedMs) * 1000)} events/s` : ''
  const lost =
    report.refused + report.broken === 0
      ? 'all answered'
      : `${report.refused} refused, ${report.broken} broken: ${report.firstRefusal}`
  console.log(
    `${`${step.name} ${step.inFlight}`.padEnd(16)} ${`${Math.round(step.perSecond)}/s`.padStart(9)}  p50 ${ms(report.p50Ms)}  p99 ${ms(report.p99Ms)}${added}${events}${ratio}; ${lost}`,
  )
  if (withCpu)
    console.log(
      `  CPU µs/request: ${Object.entries(cpuUs)
        .map(([role, value]) => `${role}${us(value)}`)
        .join('  ')}  sum${us(Object.values(cpuUs).reduce((sum, one) => sum + one, 0))}`,
    )
}

async function throughput(): Promise<Step[]> {
  const network = await startNetwork({ difficulty: 20 })
  const bare: BareChain = await startBareChain(Number(values.warmup))
  const steps: Step[] = []
  try {
    for (const stream of [false, true]) {
      const order = { port: network.clientPort, inFlight: 16, seconds: 0, stream }
      await ask<LoadReport>(network.load, { ...order, warmup: Math.round(Number(values.warmup) / (stream ? 100 : 1)) })
      console.log(stream ? '\nStreaming, 200 events each' : '\nOne document each')
      for (const inFlight of stream ? levels.filter((level) => level <= 16) : levels) {
        const direct = await best(network, 'engine alone', network.enginePort, inFlight, stream)
        const step = await best(network, stream ? 'streams' : 'in flight', network.clientPort, inFlight, stream)
        show(direct, undefined)
        if (!stream) {
          const floor = await best(bare, 'bare hops', bare.port, inFlight, false)
          show(floor, undefined, true)
          steps.push(floor)
        }
        show(step, direct)
        steps.push(direct, step)
      }
    }
  } finally {
    bare.stop()
    await network.stop()
  }
  return steps
}

async function main(): Promise<void> {
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, load before: ${loadavg()[0]?.toFixed(2)}`,
  )
  console.log(layout)
  if (values.profile !== undefined) return profile(values.profile)
  const steps = levels.length === 0 ? [] : await throughput()
  const idle = Number(values.idle)
  const memory = idle > 0 ? { tls: await measureIdle(idle, false), plain: await measureIdle(idle, true) } : undefined
  if (memory !== undefined) {
    console.log(`\nMemory of the proxy for each of ${idle} idle workers`)
    for (const [kind, found] of Object.entries(memory))
      console.log(
        `  ${kind.padEnd(6)} ${(found.perConnectionBytes / 1024).toFixed(1)} KB (resident ${mib(found.beforeBytes)} before, ${mib(found.afterBytes)} after, ${found.connected} connected)`,
      )
  }
  console.log(`\n${reference}\n${targets}\nload after: ${loadavg()[0]?.toFixed(2)}`)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ steps, memory }, undefined, 2)}\n`)
}

async function profile(folder: string): Promise<void> {
  for (const stream of [false, true]) {
    const name = stream ? 'streams' : 'documents'
    const network = await startNetwork({ difficulty: 20, profile: join(folder, name) })
    show(await measure(network, name, network.clientPort, 16, stream), undefined)
    await network.stop()
  }
}

const mib = (bytes: number): string => `${(bytes / 1048576).toFixed(1)} MB`

await main()
process.exit(0)
