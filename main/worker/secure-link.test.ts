import { afterEach, describe, expect, it } from 'vitest'
import { clientPeer, completeHandshake as completeClient } from '../client/testing/client-peer.ts'
import { createIdentity } from '../protocol/attestation/certificate.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import { type Listener, listen } from '../protocol/wire/listen.ts'
import { completeHandshake, workerPeer } from './testing/worker-peer.ts'

const disposals: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose()
})

/** A port with proof of work and TLS 1.3 whose connections go to a scripted proxy. */
async function securePort(add: (connection: PacketConnection) => void) {
  const [server, node] = await Promise.all([createIdentity(), createIdentity()])
  const policy = { kind: 'any' } as const
  const listener: Listener = await listen(
    { host: '127.0.0.1', port: 0, identity: server, policy, difficulty: 12 },
    ({ connection }) => add(connection),
  )
  disposals.push(() => listener.close())
  return async (_address: unknown, signal: AbortSignal): Promise<PacketConnection> =>
    (await dialDirect({ host: '127.0.0.1', port: listener.port, identity: node, policy, signal })).connection
}

describe('proof of work and TLS below the roles', () => {
  it('carries a worker from dialling to ready, and again after a cut', async () => {
    let add: ((connection: PacketConnection) => void) | undefined
    const dial = await securePort((connection) => add?.(connection))
    const peer = await workerPeer({ dial })
    disposals.push(peer.dispose)
    add = (connection) => peer.proxy.add(connection)
    peer.worker.start()
    const connection = await peer.proxy.accept()
    await completeHandshake(connection)
    await expect.poll(() => peer.worker.state.value.connections[0]?.phase).toBe('ready')
    connection.connection.close()
    await completeHandshake(await peer.proxy.accept())
  })

  it('carries a client from dialling to ready', async () => {
    let add: ((connection: PacketConnection) => void) | undefined
    const dial = await securePort((connection) => add?.(connection))
    const peer = await clientPeer({ dial })
    disposals.push(peer.dispose)
    add = (connection) => peer.proxy.add(connection)
    peer.client.start()
    await completeClient(await peer.proxy.accept())
    await peer.client.whenReady(AbortSignal.timeout(60_000))
    expect(peer.client.state.value.connections[0]).toMatchObject({ phase: 'ready', sentence: 'Ready.' })
  })

  it('is not even dialled where attestation is demanded and not checked', async () => {
    let dialled = 0
    const dial = (): Promise<PacketConnection> => {
      dialled++
      return Promise.reject(new Error('dialled'))
    }
    const worker = await workerPeer({ dial })
    disposals.push(worker.dispose)
    const { root } = scriptedNetwork
    worker.root.set({ ...root, params: { ...root.params, isTest: false } })
    worker.worker.start()
    await expect.poll(() => worker.worker.state.value.connections[0]?.failure).toMatch(/attested proxies/)
    expect(dialled).toBe(0)
  })
})
