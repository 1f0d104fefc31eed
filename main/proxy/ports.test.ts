import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { createIdentity } from '../protocol/attestation/certificate.ts'
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
      { timeoutMs: 5000 },
    )
    expect(decode(connected, 'client.connectedToProxy').params.proto_version).toBe(2)
    await connection.query(encode({ '@type': 'client.authorizeWithProxyShort', data: new Uint8Array() }), { timeoutMs: 5000 })
    const models = await connection.query(encode({ '@type': 'client.getWorkerTypesV2' }), { timeoutMs: 5000 })
    expect(decode(models, 'client.workerTypesV2').types.map((type) => type.name)).toEqual(['scripted/model'])
    expect(proxy.status.value).toMatchObject({ phase: 'serving', clients: 1, workers: 1 })
    worker.end()
    connection.close()
    await taken.close()
  })
})
