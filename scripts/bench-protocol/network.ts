import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeChainlessNetwork } from '../../main/roles/testing/chainless-network.ts'
import type { LoadReport } from './load-generator.ts'
import { ask, freePort, startHelper, startRole, stopRole } from './processes.ts'

export const layout =
  'Processes: load generator -HTTP-> client =TLS=> proxy <=TLS= worker -HTTP-> instant engine (5 processes, each with one JavaScript thread)'

export interface NetworkFolder {
  readonly folder: string
  readonly networkFile: string
  readonly workersPort: number
  readonly clientsPort: number
  remove(): void
}

/** A network without a chain in a folder of its own. */
export async function networkFolder(): Promise<NetworkFolder> {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-bench-'))
  const networkFile = join(folder, 'bench.json')
  const workersPort = await freePort()
  const clientsPort = await freePort()
  writeChainlessNetwork(networkFile, { workers: workersPort, clients: clientsPort })
  return { folder, networkFile, workersPort, clientsPort, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface Network {
  readonly enginePort: number
  /** HTTP port of the client role. */
  readonly clientPort: number
  readonly load: ChildProcess
  readonly pids: Readonly<Record<string, number>>
  stop(): Promise<void>
}

/** Arguments of the proxy of a bench. */
export function proxyArgs(place: NetworkFolder, difficulty: number, plain = false): string[] {
  const { folder, networkFile, workersPort, clientsPort } = place
  const ports = ['--workers-port', `${workersPort}`, '--clients-port', `${clientsPort}`, '--host', '127.0.0.1']
  return [
    'proxy',
    '--network',
    networkFile,
    '--data-dir',
    folder,
    ...ports,
    '--pow',
    `${difficulty}`,
    ...(plain ? ['--plain'] : []),
  ]
}

export async function startNetwork(options: { readonly difficulty: number; readonly profile?: string }): Promise<Network> {
  const place = await networkFolder()
  const { folder, networkFile } = place
  const enginePort = await freePort()
  const clientPort = await freePort()
  const common = ['--network', networkFile, '--data-dir', folder]
  const profiled = (role: string): string[] =>
    options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`, `--cpu-prof-name=${role}.cpuprofile`]
  const engine = await startHelper('instant-engine', [`${enginePort}`])
  const proxy = await startRole(proxyArgs(place, options.difficulty), profiled('proxy'))
  const worker = await startRole(
    [
      'worker',
      ...common,
      '--engine',
      `http://127.0.0.1:${enginePort}`,
      '--model',
      'bench/model@commit:hash',
      '--max-active',
      '512',
    ],
    profiled('worker'),
  )
  const client = await startRole(['client', ...common, '--http', `127.0.0.1:${clientPort}`], profiled('client'))
  const load = await startHelper('load-generator')
  const children = { load, client, proxy, worker, engine }
  await untilAnswered(load, clientPort)
  return {
    enginePort,
    clientPort,
    load,
    pids: Object.fromEntries(Object.entries(children).map(([name, { pid = 0 }]) => [name, pid])),
    stop: async () => {
      for (const role of [client, worker, proxy]) await stopRole(role)
      load.disconnect()
      engine.disconnect()
      place.remove()
    },
  }
}

async function untilAnswered(load: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const report = await ask<LoadReport>(load, { port, inFlight: 1, seconds: 0, warmup: 0, stream: false })
    if (report.answered > 0) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the network did not answer')
}
