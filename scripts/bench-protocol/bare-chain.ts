import type { ChildProcess } from 'node:child_process'
import type { LoadReport } from './load-generator.ts'
import { ask, freePort, startHelper } from './processes.ts'

export interface BareChain {
  /** HTTP port of its first hop. */
  readonly port: number
  readonly load: ChildProcess
  readonly pids: Readonly<Record<string, number>>
  stop(): void
}

/** The same processes and sockets as a network, with nothing of the protocol in them (bare-hops.ts). @param warmup requests before it is ready */
export async function startBareChain(warmup: number): Promise<BareChain> {
  const [enginePort, workerPort, proxyPort, port] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const engine = await startHelper('instant-engine', [`${enginePort}`])
  const worker = await startHelper('bare-hops', ['worker', `${workerPort}`, `${enginePort}`])
  const proxy = await startHelper('bare-hops', ['proxy', `${proxyPort}`, `${workerPort}`])
  const client = await startHelper('bare-hops', ['client', `${port}`, `${proxyPort}`])
  const load = await startHelper('load-generator')
  const children = { load, client, proxy, worker, engine }
  await ask<LoadReport>(load, { port, inFlight: 16, seconds: 0, stream: false, warmup })
  return {
    port,
    load,
    pids: Object.fromEntries(Object.entries(children).map(([name, { pid = 0 }]) => [name, pid])),
    stop: () => {
      for (const child of Object.values(children)) child.disconnect()
    },
  }
}
