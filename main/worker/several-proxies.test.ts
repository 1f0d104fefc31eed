import { afterEach, describe, expect, it } from 'vitest'
import type { NetAddress } from '../../contracts/net-address.ts'
import { Failure } from '../base/failure.ts'
import { Signal } from '../base/signal.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { ScriptedProxy } from '../protocol/testing/scripted-proxy.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { completeHandshake, workerPeer } from './testing/worker-peer.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A worker before four proxies at the ports 1 to 4; those in `silent` refuse every connection. */
async function standBefore(connections: number, silent: ReadonlySet<number> = new Set()) {
  const proxies = await Promise.all([1, 2, 3, 4].map(() => ScriptedProxy.listen()))
  const dialled: number[] = []
  const dial = (address: NetAddress) => {
    dialled.push(address.port)
    const proxy = proxies[address.port - 1]
    if (proxy === undefined || silent.has(address.port)) throw new Failure('refused', 'nobody listens there')
    return proxy.dial()
  }
  const root = new Signal<RootConfig | null>({
    ...scriptedNetwork.root,
    proxies: [1, 2, 3, 4].map((port) => {
      const place = { host: '127.0.0.1', port }
      return { seqno: port, forWorkers: place, forClients: { ...place, port: 99 } }
    }),
  })
  const peer = await workerPeer({ dial, root, proxyConnections: connections, reconnectMs: 80 })
  closers.push(async () => {
    await peer.dispose()
    for (const proxy of proxies) await proxy.close()
  })
  const ports = (): number[] => peer.worker.state.value.connections.filter(({ phase }) => phase === 'ready').map(portOf)
  return { ...peer, proxies, dialled, silent, ports }
}

const portOf = ({ endpoint }: { readonly endpoint: string }): number => Number(endpoint.split(':')[1])

/** Completes every handshake that comes, until the test ends. */
function serve(proxy: ScriptedProxy, onConnection: (close: () => void) => void = () => undefined): void {
  void (async () => {
    for (;;) {
      const connection = await proxy.accept()
      await completeHandshake(connection).catch(() => undefined)
      onConnection(() => connection.connection.close('gone'))
    }
  })()
}

describe('a worker of a network with four proxies', () => {
  it('serves as many as it is told, each once', async () => {
    const { worker, proxies, ports } = await standBefore(3)
    for (const proxy of proxies) serve(proxy)
    worker.start()
    await expect.poll(() => ports().length).toBe(3)
    expect(new Set(ports()).size).toBe(3)
  })

  it('does not always go to the first ones of the list', async () => {
    const first = new Set<number>()
    for (let i = 0; i < 24 && first.size < 3; i++) {
      const { worker, proxies, dialled } = await standBefore(1)
      for (const proxy of proxies) serve(proxy)
      worker.start()
      await expect.poll(() => dialled.length).toBeGreaterThan(0)
      first.add(dialled[0] ?? 0)
    }
    expect(first.size).toBeGreaterThanOrEqual(3)
  })

  it('goes to another one when one does not answer, and to the one that stays', async () => {
    const { worker, proxies, ports, dialled } = await standBefore(1, new Set([1, 2, 3]))
    for (const proxy of proxies) serve(proxy)
    worker.start()
    await expect.poll(ports).toEqual([4])
    expect(dialled.length).toBeLessThanOrEqual(4)
  })

  it('comes back elsewhere when its proxy is lost, and a proxy with its contract goes before strangers', async () => {
    const silent = new Set<number>([2, 3, 4])
    const { worker, proxies, ports, dialled } = await standBefore(1, silent)
    let close = (): void => undefined
    for (const proxy of proxies)
      serve(proxy, (closeIt) => {
        close = closeIt
      })
    worker.start()
    await expect.poll(ports).toEqual([1])
    // Now the first is away, and another one answers.
    silent.delete(3)
    silent.add(1)
    close()
    await expect.poll(ports).toEqual([3])
    await worker.stop()
    silent.clear()
    dialled.length = 0
    worker.start()
    await expect.poll(() => ports().length).toBe(1)
    // The contract with this proxy key was met at the third one last; the others would need none of their own here, and are strangers.
    expect(dialled).toEqual([3])
  })
})
