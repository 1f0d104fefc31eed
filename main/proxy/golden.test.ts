import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nameOf } from '../protocol/tl/codec.ts'
import type { CocoonProxy } from './proxy.ts'
import { pseudoProxy, temporaryFolder } from './testing/fixtures.ts'
import { deviations, notOurs } from './testing/golden-exceptions.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { differences, type GoldenCase, replay } from './testing/replay.ts'

const golden = JSON.parse(readFileSync(new URL('./vectors/proxy_behaviour_scripted_peers.json', import.meta.url), 'utf8')) as {
  cases: GoldenCase[]
}
const applicable = golden.cases.filter((one) => !(one.case in notOurs))

describe('golden behaviour of the reference proxy', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let proxy: CocoonProxy
  let ran = 0

  beforeEach(async () => {
    folder = temporaryFolder()
    proxy = pseudoProxy(folder.path)
    await proxy.start()
  })
  afterEach(async () => {
    await proxy.stop()
    folder.remove()
  })

  it.each(applicable.map((one) => [one.case, one] as const))('%s', async (name, one) => {
    const result = await replay(one, proxy)
    expect(differences(result).sort()).toEqual([...(deviations[name]?.differences ?? [])].sort())
    // Whatever was sent, the proxy still serves.
    const port = proxy.status.value.clientPort
    if (port === null) throw new Error('the proxy has no port')
    const peer = await RawPeer.open(port)
    await peer.connect()
    peer.end()
    ran += 1
  })

  it('ran all but the cases of the reference router', () => {
    expect(golden.cases).toHaveLength(70)
    expect(Object.keys(notOurs)).toHaveLength(3)
    expect(ran).toBe(67)
    expect(Object.keys(deviations).every((name) => applicable.some((one) => one.case === name))).toBe(true)
    expect(nameOf(new Uint8Array([0xf4, 0xa0, 0x5f, 0xff]))).toBe('client.connectToProxy')
  })
})
