import { createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { dialVia, type RouterAddress } from './dial-via.ts'
import { type PeerInfo, readPeerInfo, remoteImageHash, writePeerInfo } from './peer-info.ts'
import { readExactly } from './read-exactly.ts'
import { codeOf } from './testing.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const info: PeerInfo = {
  attestation: undefined,
  collateralRootHash: new Uint8Array(48),
  publicKey: new Uint8Array(32).fill(7),
  source: { ip: '127.0.0.1', port: 1 },
  destination: { ip: '10.0.0.2', port: 8888 },
}
const success = hex('05000001 7f000001 1234')

/** A router that does what the test says. */
async function routerThat(act: (socket: Socket) => Promise<void>): Promise<RouterAddress> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    act(socket).catch(() => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return { host: '127.0.0.1', port: typeof address === 'object' && address ? address.port : 0 }
}

/** Answers the greeting and the request with these bytes, in turn. */
const answering = (greeting: Buffer, ...rest: readonly Uint8Array[]): Promise<RouterAddress> =>
  routerThat(async (socket) => {
    await readExactly(socket, 3)
    socket.write(greeting)
    await readExactly(socket, 10)
    for (const part of rest) socket.write(part)
  })
const dial = (router: RouterAddress, handshakeLimitMs = 2_000) =>
  dialVia({ router, host: '10.0.0.2', port: 8888, handshakeLimitMs })

describe('dialling through a router', () => {
  it('sends what the recorded runners send, and learns who the peer is', async () => {
    const seen: string[] = []
    const router = await routerThat(async (socket) => {
      seen.push(Buffer.from(await readExactly(socket, 3)).toString('hex'))
      socket.write(hex('0500'))
      seen.push(Buffer.from(await readExactly(socket, 10)).toString('hex'))
      // All in one piece, and the first frame behind it.
      socket.write(Buffer.concat([success, writePeerInfo(info), hex('0c00000000000000 d6416d63 0500000000000000')]))
    })
    const { connection, peer } = await dial(router)
    expect(seen).toEqual(['050100', '050100010a00000222b8'])
    expect(peer).toEqual({ imageHash: new Uint8Array(32), publicKey: info.publicKey, address: '10.0.0.2:8888' })
    await connection.start({})
    expect(connection.isReady).toBe(true)
    connection.close()
  })

  it.each([
    ['another version', hex('0400'), [], 'protocol-violation'],
    ['a method that was not offered', hex('0502'), [], 'router-refused'],
    ['no method', hex('05ff'), [], 'router-refused'],
    ['a reply of another version', hex('0500'), [hex('04000001 7f000001 1234')], 'protocol-violation'],
    ['a reply with a domain name', hex('0500'), [hex('05000003 01 61 1234')], 'protocol-violation'],
    ['a refusal', hex('0500'), [hex('05020001 00000000 0000')], 'router-refused'],
    ['an unknown refusal', hex('0500'), [hex('05770001 00000000 0000')], 'router-refused'],
    ['peer information that is too long', hex('0500'), [success, hex('99400000')], 'protocol-violation'],
    ['peer information that is none', hex('0500'), [success, hex('08000000 0000000000000000')], 'protocol-violation'],
    ['half a reply', hex('0500'), [success.subarray(0, 6)], 'handshake-timeout'],
    ['half the peer information', hex('0500'), [success, writePeerInfo(info).subarray(0, 60)], 'handshake-timeout'],
    ['nothing', Buffer.alloc(0), [], 'handshake-timeout'],
  ] as const)('a router that answers with %s', async (_name, greeting, rest, code) => {
    const router = await answering(greeting, ...rest)
    expect(await codeOf(dial(router, 300))).toBe(code)
  })

  it('a router that hangs up, a name that nobody has, and a caller who gives up', async () => {
    const closing = await routerThat(async (socket) => void socket.end(hex('05')))
    expect(await codeOf(dial(closing))).toBe('connection-lost')
    expect(await codeOf(dialVia({ router: closing, host: 'no-such-name.invalid', port: 1 }))).toBe('connect-failed')
    const given = new AbortController()
    const mute = await routerThat(async () => undefined)
    const waiting = codeOf(dialVia({ router: mute, host: '10.0.0.2', port: 1, signal: given.signal }))
    setTimeout(() => given.abort(), 30)
    expect(await waiting).toBe('dial-aborted')
  })

  it('understands what newer routers say of their peers', () => {
    const tail = writePeerInfo(info).subarray(4 + 52)
    const measured = Uint8Array.from({ length: 448 }, (_, i) => i % 251)
    const tdx = readPeerInfo(Buffer.concat([hex('02000000 00000000'), measured, new Uint8Array(48).fill(3), tail]))
    expect(tdx).toMatchObject({
      attestation: { kind: 'tdx' },
      collateralRootHash: new Uint8Array(48).fill(3),
      publicKey: info.publicKey,
    })
    const sev = readPeerInfo(Buffer.concat([hex('02000000 01000000'), measured.subarray(0, 112), tail]))
    expect(sev.attestation).toEqual({ kind: 'sev', measurement: measured.slice(0, 48), reportData: measured.slice(48, 112) })
    expect(remoteImageHash(sev)).toHaveLength(32)
    // Without attestation they send a report of zeros.
    const none = readPeerInfo(Buffer.concat([hex('02000000 00000000'), new Uint8Array(496), tail]))
    expect(Buffer.from(remoteImageHash(none)).toString('hex')).toBe(
      '5c55c8f4db4010ba9203d83536d0609856af8c847ac039e37e7dde8fbd574b61',
    )
    expect(() => readPeerInfo(Buffer.concat([hex('02000000 02000000'), measured, tail]))).toThrow('kind 2')
  })
})
