import { describe, expect, it, onTestFinished } from 'vitest'
import { listen } from '../protocol/wire/listen.ts'
import { writePeerInfo } from '../protocol/wire/peer-info.ts'
import { writeSocksAddress } from '../protocol/wire/socks5.ts'
import { policiesOf } from './policies.ts'
import { relay } from './relay.ts'
import { parseForwardPort, parseSocksPort } from './router-config.ts'
import { Recorder, sleep, testServer } from './testing/sockets.ts'
import { forwardPort, portOf, socksPort, startRouter } from './testing/start-router.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

async function started(options: Parameters<typeof startRouter>[1] = {}) {
  const router = await startRouter([socksPort()], options)
  onTestFinished(() => router.stop())
  const open = async (): Promise<Recorder> => {
    const recorder = await Recorder.to(portOf(router))
    onTestFinished(() => void recorder.socket.destroy())
    return recorder
  }
  return { router, open }
}

describe('hostile runners', () => {
  it.each([
    ['SOCKS4', '0401 1f90 7f000001 00', ''],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n').toString('hex'), ''],
    ['no methods', '0500', '05ff'],
    ['no method that is known', '0502 01 80', '05ff'],
    ['another version in the request', '050100 0401 0001 7f000001 1f90', '0500'],
    ['the command BIND', '050100 05020001 7f000001 1f90', '0500 0507 0001 00000000 0000'],
    ['the command UDP ASSOCIATE', '050100 05030001 7f000001 1f90', '0500 0507 0001 00000000 0000'],
    ['a domain name', '050100 05010003 09 6c6f63616c686f7374 1f90', '0500 0508 0001 00000000 0000'],
    ['an IPv6 address', '050100 05010004 00000000000000000000000000000001 1f90', '0500 0508 0001 00000000 0000'],
    ['port 0', '050100 05010001 7f000001 0000', '0500 0501 0001 00000000 0000'],
  ])('%s', async (_name, sent, answer) => {
    const { router, open } = await started()
    const runner = await open()
    runner.socket.write(hex(sent))
    await runner.closed
    expect(runner.bytes.toString('hex')).toBe(hex(answer).toString('hex'))
    await expect.poll(() => router.ports[0]).toMatchObject({ connections: 0, handshakes: 0 })
  })

  it.each([
    ['another version', '050102 0501 61 00', '0502'],
    ['no name', '050102 0100 00', '0502'],
    ['a name of 128 bytes', `050102 0180 ${'61'.repeat(128)} 00`, '0502'],
    ['a password of 128 bytes', `050102 0103 616e79 80 ${'61'.repeat(128)}`, '0502'],
    ['an unknown policy', '050102 0107 5f5f70726f746f 00', '0502 0101'],
  ])('a user name with %s', async (_name, sent, answer) => {
    const { open } = await started({ policyFromUserName: true })
    const runner = await open()
    runner.socket.write(hex(sent))
    await runner.closed
    expect(runner.bytes.toString('hex')).toBe(hex(answer).toString('hex'))
  })

  it('that send one byte at a time have only their time', async () => {
    const { router, open } = await started({ limits: { handshakeLimitMs: 300 } })
    const slow = await open()
    const bytes = hex('050200 02 0501 0001 7f000001 1f90')
    let at = 0
    const dribble = setInterval(() => slow.socket.write(bytes.subarray(at, ++at)), 60)
    onTestFinished(() => clearInterval(dribble))
    await slow.closed
    expect(at).toBeLessThan(bytes.length)
    await expect.poll(() => router.ports[0]?.handshakes).toBe(0)
  })

  it('that say nothing make room for one that does', async () => {
    const { router, open } = await started({ limits: { mostHandshakes: 3 } })
    const idle = [await open(), await open(), await open(), await open()]
    await idle[0]?.closed
    expect(router.ports[0]?.handshakes).toBe(3)
    const honest = await open()
    honest.socket.write(hex('050100'))
    expect((await honest.atLeast(2)).toString('hex')).toBe('0500')
  })

  it('that are too many are refused', async () => {
    const { open } = await started({ limits: { mostConnections: 2 } })
    const first = [await open(), await open()]
    const third = await open()
    await third.closed
    expect(first.every(({ socket }) => !socket.destroyed)).toBe(true)
  })
})

describe('relaying', () => {
  /** Two connections joined in the middle, with their outer ends. */
  async function joined(idleLimitMs: number) {
    const near = await testServer()
    const far = await testServer()
    const [left, right] = [await Recorder.to(near.port), await Recorder.to(far.port)]
    for (const { close } of [near, far]) onTestFinished(close)
    while (near.seen.length + far.seen.length < 2) await sleep(2)
    const [a, b] = [near.seen[0]?.socket, far.seen[0]?.socket]
    if (!a || !b) throw new Error('no sockets')
    for (const socket of [a, b]) socket.removeAllListeners('data')
    return { left, right, guest: relay(a, b, idleLimitMs), inner: [a, b] as const }
  }

  it('ends a connection that died without a word', async () => {
    const { left, right, guest } = await joined(150)
    left.socket.write('hello')
    expect((await right.atLeast(5)).toString()).toBe('hello')
    await guest.gone
    await Promise.all([left.closed, right.closed])
  })

  it('keeps one on which something moves', async () => {
    // Longer than it may rest, with rests that are far shorter, also on a busy computer.
    const { left, right } = await joined(2_000)
    for (let i = 0; i < 10; i++) {
      ;(i % 2 === 0 ? left : right).socket.write('x')
      await sleep(250)
    }
    expect([(await left.atLeast(5)).length, (await right.atLeast(5)).length]).toEqual([5, 5])
    expect(left.socket.destroyed || right.socket.destroyed).toBe(false)
  })

  it('lets the last bytes of a side that ends arrive', async () => {
    const { left, right, guest } = await joined(5_000)
    left.socket.end(Buffer.alloc(3_000_000, 7))
    expect(await right.atLeast(3_000_000)).toHaveLength(3_000_000)
    await Promise.all([right.closed, guest.gone])
  })

  it('holds a sender whose receiver does not read, in little memory, and ends both when that lasts', async () => {
    const { left, right, guest, inner } = await joined(400)
    right.socket.pause()
    const chunk = Buffer.alloc(1 << 20)
    let taken = 0
    for (let i = 0; i < 64; i++) left.socket.write(chunk, (failed) => (taken += failed ? 0 : 1))
    await sleep(150)
    const held = inner.reduce((sum, socket) => sum + socket.readableLength + socket.writableLength, 0)
    expect(held).toBeLessThan(2 << 20)
    expect(taken).toBeLessThan(64)
    await guest.gone
    await left.closed
    expect(taken).toBeLessThan(64)
  })

  it('ends the other side when one is reset', async () => {
    const { left, right, guest } = await joined(60_000)
    left.socket.resetAndDestroy()
    await Promise.all([right.closed, guest.gone])
  })
})

describe('routers that lie to a runner', () => {
  const frame = writePeerInfo({
    attestation: undefined,
    collateralRootHash: new Uint8Array(48),
    publicKey: new Uint8Array(32),
    source: { ip: '10.0.0.1', port: 1 },
    destination: { ip: '10.0.0.2', port: 2 },
  })
  const withByte = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(frame)
    bytes[at] = value
    return bytes
  }

  it.each([
    ['a length that is too long', hex('99400000')],
    ['a length of 2^32 - 1', hex('ffffffff')],
    ['an empty body', hex('00000000')],
    ['an unknown form', withByte(4, 3)],
    ['an unknown kind of attestation', hex('0800000001000000 05000000')],
    ['measurements that are cut off', hex('0800000001000000 00000000')],
    ['a key of 31 bytes', withByte(4 + 52, 31)],
    ['a key as long as the frame', withByte(4 + 52, 255)],
    ['bytes behind the end', Buffer.concat([hex('7c000000'), frame.subarray(4), Buffer.alloc(4)])],
    ['a negative port', withByte(frame.length - 1, 0xff)],
    ['frames at once', hex('0c0000000000000061427ca50500000000000000')],
  ])('%s', async (_name, bytes) => {
    let accepted = 0
    const listener = await listen({ host: '127.0.0.1', port: 0, plain: true, behindRouter: true }, () => {
      accepted++
    })
    onTestFinished(() => listener.close())
    const peer = await Recorder.to(listener.port)
    peer.socket.write(bytes)
    await peer.closed
    expect([accepted, listener.connectionCount, listener.handshakeCount]).toEqual([0, 0, 0])
  })

  it('a router that stops in the middle has only its time', async () => {
    const listener = await listen(
      { host: '127.0.0.1', port: 0, plain: true, behindRouter: true, handshakeLimitMs: 100 },
      () => undefined,
    )
    onTestFinished(() => listener.close())
    const peer = await Recorder.to(listener.port)
    peer.socket.write(frame.subarray(0, 100))
    await peer.closed
    await expect.poll(() => listener.handshakeCount).toBe(0)
  })
})

describe('settings', () => {
  it('are read as the reference writes them', () => {
    expect(parseSocksPort('8116')).toEqual({ kind: 'socks', port: 8116, policy: 'any' })
    expect(parseSocksPort('8116@fake_tdx')).toEqual({ kind: 'socks', port: 8116, policy: 'fake_tdx' })
    expect(parseForwardPort('11001:127.0.0.1:11101@any')).toEqual({
      kind: 'forward',
      port: 11001,
      target: { host: '127.0.0.1', port: 11101 },
      policy: 'any',
    })
    expect(parseForwardPort('11001:[::1]:11101')).toMatchObject({ target: { host: '::1', port: 11101 } })
  })

  it.each(['', '80', '65536', 'x', '8116:1', '8116 ', '-1'])('refuses %j as a way out', (text) => {
    expect(() => parseSocksPort(text)).toThrow(expect.objectContaining({ code: 'bad-router-port' }))
  })

  it.each(['', '11001', '11001:11101', '11001:localhost:11101', '80:127.0.0.1:11101', '11001:127.0.0.1:80'])(
    'refuses %j as a way in',
    (text) => expect(() => parseForwardPort(text)).toThrow(expect.objectContaining({ code: 'bad-router-port' })),
  )

  it('takes policies from a file', () => {
    const image = 'ab'.repeat(32)
    const policies = policiesOf(JSON.stringify({ strict: { type: 'fake_tdx', imageHashes: [image] } }))
    expect(policies.get('strict')).toEqual({ kind: 'fake_tdx', imageHashes: [new Uint8Array(32).fill(0xab)] })
    expect([...policies.keys()]).toEqual(['any', 'fake_tdx', 'fake_tee', 'tdx', 'tee', 'strict'])
    const quotes = { verify: () => Promise.reject(new Error('not asked for')) }
    const real = policiesOf(JSON.stringify({ strict: { type: 'tee', imageHashes: [image] } }), quotes)
    expect(real.get('strict')).toEqual({ kind: 'tdx', quotes, imageHashes: [new Uint8Array(32).fill(0xab)] })
    expect(real.get('tee')).toEqual({ kind: 'tdx', quotes })
    expect([real.get('fake_tdx'), real.get('fake_tee')]).toEqual([{ kind: 'fake_tdx' }, { kind: 'fake_tdx', quotes }])
  })

  it.each([
    '',
    '[]',
    '{"x":{"type":"sgx"}}',
    '{"x":{"type":"tdx","mrTds":["00"]}}',
    '{"x":{"type":"fake_tdx","imageHashes":["00"]}}',
    '{"a b":{"type":"any"}}',
    '{"x":{"type":"any","mrTds":[]}}',
  ])('refuses the file %j', (text) =>
    expect(() => policiesOf(text)).toThrow(expect.objectContaining({ code: 'bad-policy-file' })),
  )
})

describe('a way in', () => {
  it('takes no connection without proof of work, however long it waits', async () => {
    const behind = await testServer()
    onTestFinished(() => behind.close())
    const router = await startRouter([forwardPort(behind.port)], { limits: { handshakeLimitMs: 150 } })
    onTestFinished(() => router.stop())
    const peers = await Promise.all([0, 1, 2].map(() => Recorder.to(portOf(router, 'forward'))))
    peers[1]?.socket.write(writeSocksAddress(1, { ip: '127.0.0.1', port: 1 }))
    peers[2]?.socket.end()
    await Promise.all(peers.map(({ closed }) => closed))
    expect(behind.seen).toHaveLength(0)
    await expect.poll(() => router.ports[0]).toMatchObject({ connections: 0, handshakes: 0 })
  })
})
