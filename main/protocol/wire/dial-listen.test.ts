import { constants } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, DEFAULT_CIPHERS, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createIdentity, type Identity } from '../attestation/certificate.ts'
import { fakeQuote } from '../attestation/fake-tdx.ts'
import { noImageHash } from '../attestation/image-hash.ts'
import type { Policy } from '../attestation/policy.ts'
import vectors from '../vectors/ratls/attestation.json' with { type: 'json' }
import { dialDirect, type SecureDialOptions } from './dial.ts'
import { type Listener, listen, type SecureListenOptions } from './listen.ts'
import type { PeerConnection } from './peer.ts'
import { createChallenge, solve } from './proof-of-work.ts'
import { readExactly } from './read-exactly.ts'
import { codeOf, frame, sleep } from './testing.ts'
import { tlsProfile } from './tls-profile.ts'

const any: Policy = { kind: 'any' }
const fake: Policy = { kind: 'fake_tdx' }
let plainIdentity: Identity
let fakeIdentity: Identity
let otherIdentity: Identity

beforeAll(async () => {
  plainIdentity = await createIdentity()
  fakeIdentity = await createIdentity({ quote: fakeQuote })
  otherIdentity = await createIdentity()
})

/** A listener that echoes queries and remembers whom it accepted. */
async function listening(
  options: Partial<SecureListenOptions> = {},
): Promise<{ listener: Listener; accepted: PeerConnection[] }> {
  const accepted: PeerConnection[] = []
  const full = { host: '127.0.0.1', port: 0, difficulty: 4, identity: plainIdentity, policy: any, ...options }
  const listener = await listen(full, (peer) => {
    accepted.push(peer)
    peer.connection.start({ onQuery: (data) => data }).catch(() => undefined)
  })
  onTestFinished(() => listener.close())
  return { listener, accepted }
}

function dialing(port: number, options: Partial<SecureDialOptions> = {}): Promise<PeerConnection> {
  return dialDirect({ host: '127.0.0.1', port, identity: otherIdentity, policy: any, ...options })
}

/** A bare client of a listener that has received the challenge. */
async function bare(port: number): Promise<{ socket: Socket; challenge: Uint8Array; closed: Promise<void> }> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
  })
  return { socket, challenge: await readExactly(socket, 24), closed }
}

/** TLS on a socket that did its proof of work; resolves when TLS is done, rejects when it fails. */
function secure(socket: Socket, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = tlsConnect({ socket, rejectUnauthorized: false, ...options })
    tls.on('error', reject)
    tls.on('close', () => reject(new Error('closed')))
    tls.once('secureConnect', () => resolve(tls))
  })
}

/** A server that lets the test play a hostile proxy. */
async function hostileServer(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    onTestFinished(() => void socket.destroy())
    onSocket(socket)
  })
  onTestFinished(() => void server.close())
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
}

describe('dial and listen', () => {
  it('connect two peers that see each other’s key', async () => {
    const { listener, accepted } = await listening()
    const { connection, peer } = await dialing(listener.port)
    await connection.start({})
    expect(await connection.query(Buffer.from('hello'), { timeoutMs: 60_000 })).toEqual(new Uint8Array(Buffer.from('hello')))
    expect(peer.publicKey).toEqual(plainIdentity.publicKey)
    expect(peer.imageHash).toEqual(noImageHash)
    expect(peer.address).toBe(`127.0.0.1:${listener.port}`)
    expect(accepted[0]?.peer.publicKey).toEqual(otherIdentity.publicKey)
    expect(accepted[0]?.peer.address).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(listener.connectionCount).toBe(1)
    connection.close()
    expect((await accepted[0]?.connection.closed)?.code).toBe('closed-by-peer')
    expect(listener.connectionCount).toBe(0)
  })

  it('do so with fake attestation on both sides, and a real proof of work', async () => {
    const { listener, accepted } = await listening({ identity: fakeIdentity, policy: fake, difficulty: 14 })
    const { connection, peer } = await dialing(listener.port, { identity: fakeIdentity, policy: fake })
    await connection.start({})
    expect(Buffer.from(peer.imageHash).toString('hex')).toBe(vectors.tdx_all_zero.image_hash_hex)
    expect(accepted[0]?.peer.imageHash).toEqual(peer.imageHash)
  })

  it('work when proof of work and the first of TLS arrive in one segment', async () => {
    const { listener, accepted } = await listening()
    const relay = await hostileServer((near) => {
      const far = connect({ port: listener.port, host: '127.0.0.1', noDelay: true })
      far.on('error', () => undefined)
      far.pipe(near)
      let held = Buffer.alloc(0)
      near.on('data', (chunk: Buffer) => {
        // Keep the 12 bytes of proof of work until more is there.
        held = Buffer.concat([held, chunk])
        if (held.length <= 12) return
        far.write(held)
        held = Buffer.alloc(0)
      })
      near.on('close', () => far.destroy())
    })
    const { connection } = await dialing(relay)
    // The relay holds what is 12 bytes or less, so nothing of TLS.
    await connection.start({})
    expect(await connection.query(Buffer.from('x'), { timeoutMs: 60_000 })).toHaveLength(1)
    expect(accepted).toHaveLength(1)
  })

  it('make a full handshake each time, also for a client that offers a session', async () => {
    const { listener, accepted } = await listening()
    const session = async (offered: Buffer | undefined): Promise<{ reused: boolean; session: Buffer | undefined }> => {
      const { socket, challenge } = await bare(listener.port)
      socket.write(await solve(challenge))
      const tls = await secure(socket, { ...tlsProfile(otherIdentity), ...(offered && { session: offered }) })
      let latest: Buffer | undefined
      tls.on('session', (given: Buffer) => {
        latest = given
      })
      tls.write(frame(0, { '@type': 'tcp.connect', id: 1n }))
      await new Promise((resolve) => tls.once('data', resolve))
      expect(tls.getProtocol()).toBe('TLSv1.3')
      expect(tls.getCipher().name).toMatch(/^TLS_AES_(128_GCM_SHA256|256_GCM_SHA384)$/)
      return { reused: tls.isSessionReused(), session: latest }
    }
    const first = await session(undefined)
    const second = await session(first.session)
    expect([first.reused, second.reused]).toEqual([false, false])
    expect(accepted.map((one) => one.peer.publicKey)).toEqual([otherIdentity.publicKey, otherIdentity.publicKey])
  })

  it('plain: frames without anything around them', async () => {
    const accepted: PeerConnection[] = []
    const listener = await listen({ host: '127.0.0.1', port: 0, plain: true }, (peer) => {
      accepted.push(peer)
      void peer.connection.start({ onQuery: (data) => data })
    })
    onTestFinished(() => listener.close())
    const { connection, peer } = await dialDirect({ host: '127.0.0.1', port: listener.port, plain: true })
    await connection.start({})
    expect(await connection.query(Buffer.from('x'), { timeoutMs: 60_000 })).toHaveLength(1)
    expect([peer.publicKey, accepted[0]?.peer.publicKey]).toEqual([undefined, undefined])
    expect(peer.imageHash).toEqual(noImageHash)
  })

  it('show a renewed certificate to new peers and keep the old connections', async () => {
    const { listener } = await listening()
    const first = await dialing(listener.port)
    await first.connection.start({})
    listener.renewIdentity(fakeIdentity)
    const second = await dialing(listener.port)
    expect(second.peer.publicKey).toEqual(fakeIdentity.publicKey)
    expect(await first.connection.query(Buffer.from('x'), { timeoutMs: 60_000 })).toHaveLength(1)
  })
})

describe('a listener refuses', () => {
  it('wrong proof of work', async () => {
    const { listener, accepted } = await listening({ difficulty: 20 })
    const { socket, closed } = await bare(listener.port)
    const response = await solve(createChallenge(4))
    socket.write(response)
    await closed
    expect([accepted.length, listener.handshakeCount]).toEqual([0, 0])
  })

  it('TLS 1.2, though the client shows a good certificate', async () => {
    const { listener, accepted } = await listening()
    const { socket, challenge, closed } = await bare(listener.port)
    socket.write(await solve(challenge))
    const old = { ...tlsProfile(otherIdentity), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: DEFAULT_CIPHERS } as const
    await expect(secure(socket, old)).rejects.toThrow()
    await closed
    expect([accepted.length, listener.handshakeCount]).toEqual([0, 0])
  })

  it('a client without certificate', async () => {
    const { listener, accepted } = await listening()
    const { socket, challenge, closed } = await bare(listener.port)
    socket.write(await solve(challenge))
    // In TLS 1.3 the client believes at first that all is well.
    await secure(socket, { minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET }).catch(() => undefined)
    await closed
    expect([accepted.length, listener.handshakeCount, listener.connectionCount]).toEqual([0, 0, 0])
  })

  it('a client that its policy does not allow', async () => {
    const { listener, accepted } = await listening({ policy: fake })
    const { connection } = await dialing(listener.port)
    const ready = codeOf(connection.start({}))
    expect(['closed-by-peer', 'connection-lost']).toContain(await ready)
    expect(accepted).toHaveLength(0)
  })

  it('garbage instead of TLS', async () => {
    const { listener, accepted } = await listening()
    const { socket, challenge, closed } = await bare(listener.port)
    socket.write(Buffer.concat([await solve(challenge), Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(20))]))
    await closed
    expect([accepted.length, listener.handshakeCount]).toEqual([0, 0])
  })

  it('who stays in the middle of proof of work or TLS for too long', async () => {
    const { listener } = await listening({ handshakeLimitMs: 3_000 })
    const lazy = await bare(listener.port)
    lazy.socket.write((await solve(lazy.challenge)).subarray(0, 11))
    const half = await bare(listener.port)
    // A handshake record that promises more than it holds.
    half.socket.write(Buffer.concat([await solve(half.challenge), Buffer.from('160301020001', 'hex')]))
    expect(listener.handshakeCount).toBe(2)
    await Promise.all([lazy.closed, half.closed])
    await expect.poll(() => listener.handshakeCount).toBe(0)
  })

  it('more handshakes than allowed, the idlest first, so that an honest peer gets through', async () => {
    const { listener } = await listening({ mostHandshakes: 3 })
    const idlers = [await bare(listener.port), await bare(listener.port), await bare(listener.port), await bare(listener.port)]
    await idlers[0]?.closed
    expect(listener.handshakeCount).toBe(3)
    const { connection } = await dialing(listener.port)
    await connection.start({})
    expect(connection.isReady).toBe(true)
  })

  it('more connections than allowed', async () => {
    const { listener } = await listening({ mostConnections: 2 })
    const first = await dialing(listener.port)
    const second = await dialing(listener.port)
    await Promise.all([first.connection.start({}), second.connection.start({})])
    expect(['connection-lost', 'connect-failed']).toContain(await codeOf(dialing(listener.port)))
    first.connection.close()
    await first.connection.closed
    await sleep(50)
    await (await dialing(listener.port)).connection.start({})
  })
})

describe('a dialler refuses', () => {
  it('a server that its policy does not allow', async () => {
    const { listener } = await listening()
    expect(await codeOf(dialing(listener.port, { policy: fake }))).toBe('quote-missing')
    const image = new Uint8Array(32)
    const { listener: faking } = await listening({ identity: fakeIdentity })
    expect(await codeOf(dialing(faking.port, { policy: { kind: 'fake_tdx', imageHashes: [image] } }))).toBe(
      'measurement-not-allowed',
    )
  })

  it('an expired certificate', async () => {
    const identity = await createIdentity({ nowMs: Date.now() - 100_000, validForMs: 50_000 })
    const { listener } = await listening({ identity })
    expect(await codeOf(dialing(listener.port))).toBe('certificate-expired')
  })

  it('too much or malformed proof of work', async () => {
    const hard = await hostileServer((socket) => {
      const challenge = createChallenge(0)
      challenge[4] = 28
      socket.write(challenge)
    })
    expect(await codeOf(dialing(hard))).toBe('pow-too-difficult')
    const other = await hostileServer((socket) => socket.write('SSH-2.0-OpenSSH_9.2p1 Debian\r\n'))
    expect(await codeOf(dialing(other))).toBe('pow-malformed')
    const slow = await hostileServer((socket) =>
      socket.write(Buffer.concat([createChallenge(24).subarray(0, 8), Buffer.alloc(16, 26)])),
    )
    expect(await codeOf(dialing(slow, { handshakeLimitMs: 3_100 }))).toBe('pow-out-of-time')
  })

  it('a server that stalls, closes or speaks no TLS', async () => {
    const stalling = await hostileServer((socket) => socket.write(createChallenge(2).subarray(0, 20)))
    expect(await codeOf(dialing(stalling, { handshakeLimitMs: 100 }))).toBe('handshake-timeout')
    const mute = await hostileServer((socket) => socket.write(createChallenge(2)))
    expect(await codeOf(dialing(mute, { handshakeLimitMs: 400 }))).toBe('handshake-timeout')
    const closing = await hostileServer((socket) => socket.end(createChallenge(2).subarray(0, 20)))
    expect(await codeOf(dialing(closing))).toBe('connection-lost')
    const babbling = await hostileServer((socket) => {
      socket.write(createChallenge(2))
      socket.on('data', () => socket.write('no TLS here'))
    })
    expect(await codeOf(dialing(babbling))).toBe('tls-failed')
  })

  it('a port where nobody listens, and can be given up', async () => {
    const { listener } = await listening()
    const { port } = listener
    await listener.close()
    expect(await codeOf(dialing(port))).toBe('connect-failed')
    const given = new AbortController()
    const mute = await hostileServer(() => undefined)
    const waiting = codeOf(dialing(mute, { signal: given.signal }))
    setTimeout(() => given.abort(), 30)
    expect(await waiting).toBe('dial-aborted')
    expect(await codeOf(dialing(mute, { signal: given.signal }))).toBe('dial-aborted')
  })
})

describe('closing a listener', () => {
  it('ends handshakes and connections, and frees the port', async () => {
    const { listener, accepted } = await listening()
    const { connection } = await dialing(listener.port)
    await connection.start({})
    const idler = await bare(listener.port)
    const pending = codeOf(accepted[0]?.connection.query(Buffer.from('x'), { timeoutMs: 60_000 }) ?? Promise.resolve())
    await listener.close()
    await idler.closed
    expect((await connection.closed).code).toBe('closed-by-peer')
    expect(['closed-here', 'query-refused']).toContain(await pending)
    expect([listener.connectionCount, listener.handshakeCount]).toEqual([0, 0])
    const again = await listening({ port: listener.port })
    expect(again.listener.port).toBe(listener.port)
    await expect(listening({ port: listener.port })).rejects.toMatchObject({ code: 'listen-failed' })
  })
})
