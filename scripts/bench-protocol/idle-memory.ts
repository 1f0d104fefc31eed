import { networkFolder, proxyArgs } from './network.ts'
import { ask, residentBytes, startHelper, startRole, stopRole } from './processes.ts'

export interface IdleMemory {
  readonly beforeBytes: number
  readonly afterBytes: number
  readonly perConnectionBytes: number
  readonly connected: number
}

/** Connections before the first look: code that runs for the first time takes memory of its own. */
const first = 50
/** The proxy's heap is left to itself for so long before each look. */
const settleMs = 15_000

/** How much the resident memory of a proxy grows with each worker that is connected and idle. Without proof of work, which would take hours. */
export async function measureIdle(count: number, plain: boolean): Promise<IdleMemory> {
  const place = await networkFolder()
  const proxy = await startRole(proxyArgs(place, 0, plain))
  const workers = await startHelper('idle-workers')
  try {
    const { pid = 0 } = proxy
    const order = { networkFile: place.networkFile, port: place.workersPort, plain }
    await ask(workers, { ...order, count: first })
    await new Promise((resolve) => setTimeout(resolve, settleMs))
    const beforeBytes = residentBytes(pid)
    const connected = await ask<number>(workers, { ...order, count })
    await new Promise((resolve) => setTimeout(resolve, settleMs))
    const afterBytes = residentBytes(pid)
    return { beforeBytes, afterBytes, perConnectionBytes: (afterBytes - beforeBytes) / (connected - first), connected }
  } finally {
    workers.disconnect()
    await stopRole(proxy)
    place.remove()
  }
}
