import { describe, expect, it, onTestFinished } from 'vitest'
import { createIdentity } from '../protocol/attestation/certificate.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import {
  syntheticImageHash,
  syntheticPolicy,
  syntheticQuote,
  syntheticVerifier,
} from '../protocol/attestation/testing/manipulated-peers.ts'
import { syntheticNowMs } from '../protocol/attestation/testing/synthetic-intel.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import { dialVia } from '../protocol/wire/dial-via.ts'
import { type Listener, listen } from '../protocol/wire/listen.ts'
import type { Peer, PeerConnection } from '../protocol/wire/peer.ts'
import { createChallenge } from '../protocol/wire/proof-of-work.ts'
import { codeOf } from '../protocol/wire/testing.ts'
import type { Router } from './router.ts'
import { sleep, testServer } from './testing/sockets.ts'
import { forwardPort, type Ports, portOf, socksPort, startRouter } from './testing/start-router.ts'

type Options = NonNullable<Parameters<typeof startRouter>[1]>
const fakeImageHash = '5c55c8f4db4010ba9203d83536d0609856af8c847ac039e37e7dde8fbd574b61'

async function router(ports: Ports, options: Options = {}): Promise<Router> {
  const started = await startRouter(ports, options)
  onTestFinished(() => started.stop())
  return started
}

/** A runner behind a router, which echoes queries and remembers who came. */
async function runner(options: { handshakeLimitMs?: number } = {}): Promise<{ listener: Listener; accepted: PeerConnection[] }> {
  const accepted: PeerConnection[] = []
  const listener = await listen({ host: '127.0.0.1', port: 0, plain: true, behindRouter: true, ...options }, (peer) => {
    accepted.push(peer)
    peer.connection.start({ onQuery: (data) => data }).catch(() => undefined)
  })
  onTestFinished(() => listener.close())
  return { listener, accepted }
}

/** Client side of two routers on the way to a runner. */
async function chain(outer: { ports?: Ports; options?: Options } = {}, inner: { policy?: string; options?: Options } = {}) {
  const behind = await runner()
  const way = await router([forwardPort(behind.listener.port, inner.policy ?? 'any')], inner.options)
  const out = await router(outer.ports ?? [socksPort()], outer.options)
  const dial = (policy?: string): Promise<PeerConnection> =>
    dialVia({
      router: { host: '127.0.0.1', port: portOf(out), ...(policy !== undefined && { policy }) },
      host: '127.0.0.1',
      port: portOf(way, 'forward'),
    })
  return { behind, way, out, dial }
}

const echo = async (connection: PacketConnection, data: Uint8Array): Promise<Uint8Array> =>
  connection.query(data, { timeoutMs: 60_000 })

describe('through two routers', () => {
  it('frames pass both ways, and each side is told who the other is', async () => {
    const { behind, way, dial } = await chain()
    const { connection, peer } = await dial()
    await connection.start({})
    expect(await echo(connection, Buffer.from('hello'))).toEqual(new Uint8Array(Buffer.from('hello')))
    expect(peer.address).toBe(`127.0.0.1:${portOf(way, 'forward')}`)
    expect(peer.publicKey).toHaveLength(32)
    expect(Buffer.from(peer.imageHash).toString('hex')).toBe('00'.repeat(32))
    const seen: Peer | undefined = behind.accepted[0]?.peer
    expect(seen?.publicKey).toHaveLength(32)
    expect(seen?.publicKey).not.toEqual(peer.publicKey)
    expect(seen?.address).toMatch(/^127\.0\.0\.1:\d+$/)
    connection.close()
    expect((await behind.accepted[0]?.connection.closed)?.code).toBe('closed-by-peer')
    await expect.poll(() => way.ports[0]?.connections).toBe(0)
  })

  it('carries what is larger than all buffers, in both directions at once', async () => {
    const { behind, dial } = await chain()
    const { connection } = await dial()
    await connection.start({ onQuery: (data) => data })
    const large = new Uint8Array(3_000_000).fill(7, -1_000_000)
    const back = behind.accepted[0]?.connection
    if (back === undefined) throw new Error('no connection')
    const answers = await Promise.all([echo(connection, large), echo(back, large)])
    expect(answers.map((answer) => Buffer.compare(answer, large))).toEqual([0, 0])
  })

  it('fake attestation on both sides gives both the image hash', async () => {
    const { behind, dial } = await chain(
      { ports: [socksPort('fake_tdx')], options: { fake: true } },
      { policy: 'fake_tdx', options: { fake: true } },
    )
    const { connection, peer } = await dial()
    await connection.start({})
    expect(Buffer.from(peer.imageHash).toString('hex')).toBe(fakeImageHash)
    expect(Buffer.from(behind.accepted[0]?.peer.imageHash ?? []).toString('hex')).toBe(fakeImageHash)
  })

  it('real quotes on both sides give both the image hash', async () => {
    const policies = new Map([['tdx', syntheticPolicy()]])
    const makeIdentity = () => createIdentity({ quote: syntheticQuote })
    const { behind, dial } = await chain(
      { ports: [socksPort('tdx')], options: { policies, makeIdentity } },
      { policy: 'tdx', options: { policies, makeIdentity } },
    )
    const { connection, peer } = await dial()
    await connection.start({})
    expect(peer.imageHash).toEqual(syntheticImageHash)
    expect(behind.accepted[0]?.peer.imageHash).toEqual(syntheticImageHash)
  })

  it.each(['the way out', 'the way in'])(
    'a peer whose quote holds no more is left with the next certificate, on %s',
    async (which) => {
      const clocks = { out: syntheticNowMs, in: syntheticNowMs }
      const makeIdentity = () => createIdentity({ quote: syntheticQuote })
      const judging = (way: 'out' | 'in'): Options => {
        const quotes = syntheticVerifier({ now: () => clocks[way] })
        return { policies: new Map([['tdx', { kind: 'tdx', quotes }]]), makeIdentity }
      }
      const { way, out, dial } = await chain(
        { ports: [socksPort('tdx')], options: judging('out') },
        { policy: 'tdx', options: judging('in') },
      )
      const { connection } = await dial()
      await connection.start({})
      await Promise.all([out.renew(), way.renew()])
      expect(await echo(connection, Buffer.from('still here'))).toHaveLength(10)
      clocks[which === 'the way out' ? 'out' : 'in'] += 400 * 86_400_000
      await (which === 'the way out' ? out : way).renew()
      await connection.closed
      await expect.poll(() => [out, way].map(({ ports }) => ports[0]?.connections)).toEqual([0, 0])
    },
  )

  it('a runner may name the policy where that is allowed', async () => {
    const { dial } = await chain({ options: { policyFromUserName: true } }, { options: { fake: true } })
    const { peer } = await dial('fake_tdx')
    expect(Buffer.from(peer.imageHash).toString('hex')).toBe(fakeImageHash)
    expect(Buffer.from((await dial('any')).peer.imageHash).toString('hex')).toBe('00'.repeat(32))
    await expect(dial('sgx')).rejects.toMatchObject({ code: 'router-refused', message: 'The router has no policy sgx' })
    // A fake quote is no real one.
    await expect(dial('tdx')).rejects.toMatchObject({ code: 'router-refused', message: /does not accept the attestation/ })
    const strict = await chain()
    await expect(strict.dial('any')).rejects.toMatchObject({ code: 'router-refused' })
  })

  it('a client without a router reaches a runner behind one', async () => {
    const behind = await runner()
    const way = await router([forwardPort(behind.listener.port, 'fake_tdx')], { fake: true })
    const identity = await createIdentity({ quote: fakeQuote })
    const { connection } = await dialDirect({
      host: '127.0.0.1',
      port: portOf(way, 'forward'),
      identity,
      policy: { kind: 'fake_tdx' },
    })
    await connection.start({})
    expect(await echo(connection, Buffer.from('x'))).toHaveLength(1)
    expect(behind.accepted[0]?.peer.publicKey).toEqual(identity.publicKey)
    expect(Buffer.from(behind.accepted[0]?.peer.imageHash ?? []).toString('hex')).toBe(fakeImageHash)
  })

  it('a runner behind a router reaches a port without one', async () => {
    const identity = await createIdentity()
    const accepted: PeerConnection[] = []
    const listener = await listen({ host: '127.0.0.1', port: 0, difficulty: 10, identity, policy: { kind: 'any' } }, (peer) => {
      accepted.push(peer)
      peer.connection.start({ onQuery: (data) => data }).catch(() => undefined)
    })
    onTestFinished(() => listener.close())
    const out = await router([socksPort()])
    const { connection, peer } = await dialVia({
      router: { host: '127.0.0.1', port: portOf(out) },
      host: 'localhost',
      port: listener.port,
    })
    await connection.start({})
    expect(peer.publicKey).toEqual(identity.publicKey)
    expect(await echo(connection, Buffer.from('x'))).toHaveLength(1)
  })
})

describe('the runner is told why not', () => {
  const refusal = async (dial: Promise<PeerConnection>): Promise<string> => {
    try {
      await dial
      return 'connected'
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  const through = (out: Router, port: number, host = '127.0.0.1'): Promise<PeerConnection> =>
    dialVia({ router: { host: '127.0.0.1', port: portOf(out) }, host, port })

  it('nobody listens there', async () => {
    const out = await router([socksPort()])
    const gone = await testServer()
    await gone.close()
    expect(await refusal(through(out, gone.port))).toBe('The router was refused by the peer')
  })

  it('the attestation is not accepted', async () => {
    const { dial } = await chain({ ports: [socksPort('fake_tdx')] })
    expect(await refusal(dial())).toBe('The router does not accept the attestation of the peer')
  })

  it('the peer never finishes, asks for too much work, or speaks something else', async () => {
    const out = await router([socksPort()], { limits: { dialLimitMs: 300 } })
    const mute = await testServer()
    const greedy = await testServer(({ socket }) => {
      const challenge = createChallenge(0)
      challenge[4] = 29
      socket.write(challenge)
    })
    const ssh = await testServer(({ socket }) => socket.write('SSH-2.0-OpenSSH_9.2p1 Debian\r\n'))
    for (const { close } of [mute, greedy, ssh]) onTestFinished(close)
    expect(await refusal(through(out, mute.port))).toBe('The router waited too long for the peer')
    expect(await refusal(through(out, greedy.port))).toBe('The router failed')
    expect(await refusal(through(out, ssh.port))).toBe('The router failed')
    await expect.poll(() => out.ports[0]).toMatchObject({ connections: 0, handshakes: 0 })
  })

  it('there is no router, or something else listens in its place', async () => {
    const out = await router([socksPort()])
    const port = portOf(out)
    await out.stop()
    const to = (at: number): Promise<unknown> =>
      codeOf(dialVia({ router: { host: '127.0.0.1', port: at }, host: '127.0.0.1', port: 1 }))
    expect(await to(port)).toBe('connect-failed')
    const web = await testServer(({ socket }) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    onTestFinished(() => web.close())
    expect(await to(web.port)).toBe('protocol-violation')
  })

  it('the peer refuses the router’s certificate only after the handshake: the connection ends at once', async () => {
    const { dial, behind } = await chain({}, { policy: 'fake_tdx', options: { fake: true } })
    const { connection } = await dial()
    expect(['closed-by-peer', 'connection-lost']).toContain(await codeOf(connection.start({})))
    expect(behind.accepted).toHaveLength(0)
  })
})

describe('when something breaks', () => {
  it('a killed router fails the pending queries of both sides at once', async () => {
    const { behind, out, dial } = await chain()
    const { connection } = await dial()
    await connection.start({ onQuery: () => new Promise(() => undefined) })
    const back = behind.accepted[0]?.connection
    const pending = [codeOf(back?.query(Buffer.from('never'), { timeoutMs: 60_000 }) ?? Promise.resolve())]
    await sleep(50)
    const startedAt = performance.now()
    await out.stop()
    expect(['closed-by-peer', 'connection-lost']).toContain((await connection.closed).code)
    expect(['closed-by-peer', 'connection-lost']).toContain(await pending[0])
    expect(performance.now() - startedAt).toBeLessThan(30_000)
  })

  it('a runner that goes away closes the peer, and the other way round', async () => {
    const { behind, way, out, dial } = await chain()
    const first = await dial()
    await first.connection.start({})
    behind.accepted[0]?.connection.close()
    expect((await first.connection.closed).code).toBe('closed-by-peer')
    await expect.poll(() => [way.ports[0]?.connections, out.ports[0]?.connections]).toEqual([0, 0])
  })

  it('the runner behind it is not there: peers are refused and nothing stays open', async () => {
    const gone = await testServer()
    await gone.close()
    const way = await router([forwardPort(gone.port)])
    const identity = await createIdentity()
    const { connection } = await dialDirect({
      host: '127.0.0.1',
      port: portOf(way, 'forward'),
      identity,
      policy: { kind: 'any' },
    })
    expect(['closed-by-peer', 'connection-lost']).toContain(await codeOf(connection.start({})))
    await expect.poll(() => way.ports[0]).toMatchObject({ connections: 0, handshakes: 0 })
  })

  it('does not start when a port is taken or a policy unknown, and opens nothing then', async () => {
    const taken = await testServer()
    onTestFinished(() => taken.close())
    expect(await codeOf(router([socksPort(), { kind: 'socks', port: taken.port, policy: 'any' }]))).toBe('listen-failed')
    expect(await codeOf(router([socksPort('sgx')]))).toBe('unknown-policy')
  })

  it('a renewed certificate is shown to new peers', async () => {
    const behind = await runner()
    const identities = [await createIdentity(), await createIdentity()]
    let made = 0
    const way = await router([forwardPort(behind.listener.port)], {
      makeIdentity: async () => identities[made++] ?? createIdentity(),
    })
    const identity = await createIdentity()
    const dial = () => dialDirect({ host: '127.0.0.1', port: portOf(way, 'forward'), identity, policy: { kind: 'any' } })
    expect((await dial()).peer.publicKey).toEqual(identities[0]?.publicKey)
    await way.renew()
    expect((await dial()).peer.publicKey).toEqual(identities[1]?.publicKey)
  })
})
