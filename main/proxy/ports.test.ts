import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { createIdentity } from '../protocol/attestation/certificate.ts'
import { syntheticQuote, syntheticVerifier } from '../protocol/attestation/testing/manipulated-peers.ts'
import { syntheticNowMs } from '../protocol/attestation/testing/synthetic-intel.ts'
import { decode, encode } from '../protocol/tl/codec.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import { plainPort, securePort } from './ports.ts'
import type { CocoonProxy } from './proxy.ts'
import { pseudoProxy, temporaryFolder } from './testing/fixtures.ts'
import { clientOwner, readyWorker } from './testing/scripted.ts'

describe('ports with proof of work and TLS', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let proxy: CocoonProxy

  beforeEach(() => {
    folder = temporaryFolder()
  })
  afterEach(async () => {
    await proxy.stop()
    folder.remove()
  })

  it('serves a client through work, TLS 1.3 and its handshake, on another port when the wanted one is taken', async () => {
    const taken = await plainPort()(() => undefined)
    const secure = { host: '127.0.0.1', port: taken.port, difficulty: 10, policy: { kind: 'any' as const }, logger: silentLogger }
    proxy = pseudoProxy(folder.path, {}, { openClientPort: securePort(secure) })
    await proxy.start()
    const worker = await readyWorker(proxy)
    const port = proxy.status.value.clientPort
    if (port === null) throw new Error('no port')
    expect(port).not.toBe(taken.port)
    const identity = await createIdentity()
    const { connection } = await dialDirect({ host: '127.0.0.1', port, identity, policy: { kind: 'any' } })
    await connection.start({})
    const connected = await connection.query(
      encode({
        '@type': 'client.connectToProxy',
        params: {
          '@type': 'client.params',
          flags: 3,
          client_owner_address: clientOwner,
          is_test: true,
          min_proto_version: 1,
          max_proto_version: 2,
        },
        min_config_version: 3,
      }),
      { timeoutMs: 60_000 },
    )
    expect(decode(connected, 'client.connectedToProxy').params.proto_version).toBe(2)
    await connection.query(encode({ '@type': 'client.authorizeWithProxyShort', data: new Uint8Array() }), { timeoutMs: 60_000 })
    const models = await connection.query(encode({ '@type': 'client.getWorkerTypesV2' }), { timeoutMs: 60_000 })
    expect(decode(models, 'client.workerTypesV2').types.map((type) => type.name)).toEqual(['scripted/model'])
    expect(proxy.status.value).toMatchObject({ phase: 'serving', clients: 1, workers: 1 })
    worker.end()
    connection.close()
    await taken.close()
  })
})

it('leaves a peer whose quote holds no more within the hour, however long its connection stands', async () => {
  // The hour alone is not waited for: sockets and handshakes keep their clocks.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  let nowMs = syntheticNowMs
  const quotes = syntheticVerifier({ now: () => nowMs })
  const ended: string[] = []
  const place = { host: '127.0.0.1', port: 0, difficulty: 1, logger: silentLogger }
  const { port, close } = await securePort({ ...place, policy: { kind: 'tdx', quotes } })(({ connection }) => {
    connection.start({}).catch(() => undefined)
    void connection.closed.then(({ message }) => ended.push(message))
  })
  onTestFinished(() => close())
  const identity = await createIdentity({ quote: syntheticQuote })
  const { connection } = await dialDirect({ host: '127.0.0.1', port, identity, policy: { kind: 'any' } })
  await connection.start({})
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(ended).toEqual([])
  nowMs += 400 * 86_400_000
  await vi.advanceTimersByTimeAsync(3_600_000)
  await connection.closed
  expect(ended.join()).toContain('has expired')
})
