import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readVectors } from '../protocol/testing/vector-cases.ts'
import { notRun, ran } from '../protocol/testing/vector-runs.ts'
import { nameOf } from '../protocol/tl/codec.ts'
import type { CocoonProxy } from './proxy.ts'
import { pseudoProxy, recordedVersions, routerPort, temporaryFolder } from './testing/fixtures.ts'
import { deviations } from './testing/golden-exceptions.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { differences, type GoldenCase, peerInfoOf, replay } from './testing/replay.ts'

const file = 'wire/proxy_behaviour_scripted_peers'
const golden = readVectors<{ cases: readonly GoldenCase[] }>(file).cases

describe('golden behaviour of the reference proxy', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let proxy: CocoonProxy

  beforeEach(async () => {
    folder = temporaryFolder()
    // As in the capture, where routers stood in front.
    proxy = pseudoProxy(
      folder.path,
      { versions: recordedVersions },
      { openClientPort: routerPort(), openWorkerPort: routerPort() },
    )
    await proxy.start()
  })
  afterEach(async () => {
    await proxy.stop()
    folder.remove()
  })

  it.each(golden.map((one) => [one.case, one] as const))('%s', async (name, one) => {
    const deviating = deviations[name]?.differences ?? []
    const extras = deviating.filter((line) => line.includes(': nothing -> ')).length
    const result = await replay(one, proxy, { extras, slackMs: 1_500 })
    expect(differences(result).sort()).toEqual([...deviating].sort())
    // Whatever was sent, the proxy still serves.
    const port = proxy.status.value.clientPort
    if (port === null) throw new Error('the proxy has no port')
    const peer = await RawPeer.open(port)
    peer.write(peerInfoOf(golden))
    await peer.connect()
    peer.end()
    ran(file, `played: ${name}`)
    for (const [i, { role, events }] of one.connections.entries())
      for (const event of events.filter(({ kind }) => kind === 'bytes'))
        ran(file, `case ${golden.indexOf(one)}, ${role} ${i}/${event.n} bytes`)
  })

  it('ran whole', () => {
    expect(notRun(file, (name) => /^played: | bytes$/.test(name))).toEqual([])
    expect(Object.keys(deviations).every((name) => golden.some((one) => one.case === name))).toBe(true)
    expect(nameOf(new Uint8Array([0xf4, 0xa0, 0x5f, 0xff]))).toBe('client.connectToProxy')
  })
})
