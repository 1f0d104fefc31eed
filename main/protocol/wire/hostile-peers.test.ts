import { connect, type Socket } from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { heldBytes } from '../../base/testing/held-bytes.ts'
import { createIdentity, type Identity } from '../attestation/certificate.ts'
import { decode, encode } from '../tl/codec.ts'
import type { PacketConnectionLimits } from './connection.ts'
import { dialDirect } from './dial.ts'
import { FrameParser } from './frames.ts'
import { type Listener, listen } from './listen.ts'
import { challengeBytes, createChallenge, solve } from './proof-of-work.ts'
import { readTcpPacket, type TcpPacket } from './tcp-packets.ts'
import { codeOf, frame, sleep } from './testing.ts'

/** What the issue of a robust wire names, one by one: nothing of it may crash, hang, or cost memory, and an honest peer is served behind it. */

/** What a hundred hostile peers may leave behind: less than 200 KB each would already show. */
const mostGrowthBytes = 20 << 20
const attempts = 100
/** Buffers that hold what came are freed when the collector gets to them, some turns later. */
const holdsAtMost = (most: number, before: number) => expect.poll(async () => (await heldBytes()) - before).toBeLessThan(most)

const header = (length: number, seqno: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(length)
  bytes.writeInt32LE(seqno, 4)
  return bytes
}
const raw = (seqno: number, payload: Uint8Array): Buffer => Buffer.concat([header(payload.length, seqno), payload])
const connected = frame(0, { '@type': 'tcp.connect', id: 5n })
const query = (seqno: number, id: bigint, data: Uint8Array): Uint8Array => frame(seqno, { '@type': 'tcp.query', id, data })
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A port whose connections answer queries as a proxy does: by decoding them. */
async function port(
  limits: PacketConnectionLimits = {},
  unfinishedBytes = 1 << 30,
): Promise<{ listener: Listener; ends: string[] }> {
  const ends: string[] = []
  const listener = await listen({ host: '127.0.0.1', port: 0, plain: true, limits, unfinishedBytes }, ({ connection }) => {
    connection.closed.then(({ code }) => ends.push(code))
    connection
      .start({
        onQuery: (data) => {
          decode(data, 'client.getWorkerTypesV2', 'client.workerTypesV2', 'http.request', 'client.authorizeWithProxyShort')
          return data.slice()
        },
      })
      .catch(() => undefined)
  })
  onTestFinished(() => listener.close())
  return { listener, ends }
}

function bare(at: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: at, host: '127.0.0.1', noDelay: true })
    socket.on('error', () => undefined)
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
    onTestFinished(() => void socket.destroy())
  })
}

function packets(socket: Socket): TcpPacket[] {
  const list: TcpPacket[] = []
  const parser = new FrameParser()
  socket.on('data', (chunk: Buffer) => parser.push(chunk, (payload) => list.push(structuredClone(readTcpPacket(payload)))))
  return list
}

async function servesAnHonestPeer(listener: Listener): Promise<void> {
  const { connection } = await dialDirect({ host: '127.0.0.1', port: listener.port, plain: true })
  await connection.start({})
  const asked = encode({ '@type': 'client.getWorkerTypesV2' })
  expect(await connection.query(asked, { timeoutMs: 60_000 })).toEqual(asked)
  connection.close()
  await connection.closed
}

const twoHugeVectors = hex('67dcf00c ffffffff 00000000')
const emptyHeaders = (count: number): Buffer => {
  const bytes = Buffer.alloc(4 + 12 + 4 + count * 8 + 4)
  hex('e52d4947').copy(bytes)
  bytes.writeUInt32LE(count, 16)
  return bytes
}

describe('a peer that breaks the rules is cut off', () => {
  it.each([
    ['wrong sequence number at once', [frame(7, { '@type': 'tcp.connect', id: 5n })]],
    ['wrong sequence number later', [connected, frame(3, { '@type': 'tcp.ping', id: 1n })]],
    [
      'repeated sequence number',
      [connected, frame(1, { '@type': 'tcp.ping', id: 1n }), frame(1, { '@type': 'tcp.ping', id: 1n })],
    ],
    ['negative sequence number', [connected, header(4, -1), hex('00000000')]],
    ['frame of length 0', [connected, header(0, 1)]],
    ['frame of length 3', [connected, header(3, 1), hex('000000')]],
    ['frame of 16 MiB and a byte', [connected, header(2 ** 24 + 1, 1)]],
    ['frame of 4 GiB', [connected, header(2 ** 32 - 1, 1)]],
    ['large frame before it is ready', [header(1_000_000, 0)]],
    ['unknown constructor', [connected, raw(1, hex('efbeadde'))]],
    ['constructor of the application outside of a packet', [connected, raw(1, encode({ '@type': 'client.getWorkerTypes' }))]],
    ['function that no peer may call', [connected, raw(1, encode({ '@type': 'proxy.signedPaymentEmpty' }))]],
    ['truncated packet', [connected, raw(1, frame(1, { '@type': 'tcp.ping', id: 1n }).subarray(8, 16))]],
    ['truncated query', [connected, raw(1, query(1, 1n, new Uint8Array(40)).subarray(8, 40))]],
    [
      'trailing bytes',
      [connected, raw(1, Buffer.concat([frame(1, { '@type': 'tcp.ping', id: 1n }).subarray(8), Buffer.alloc(4)]))],
    ],
    ['length of 16 MiB inside a small packet', [connected, raw(1, hex('f8ba179c feffffff'))]],
    ['length of 2^56 inside a small packet', [connected, raw(1, hex('f8ba179c ffffffff ffffffff'))]],
  ])('%s', async (_name, parts) => {
    const { listener, ends } = await port()
    const before = await heldBytes()
    for (let i = 0; i < attempts; i += 10) {
      const sockets = await Promise.all(Array.from({ length: 10 }, () => bare(listener.port)))
      const gone = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve)))
      for (const socket of sockets) for (const part of parts) socket.write(part)
      await Promise.all(gone)
    }
    await expect.poll(() => ends.length).toBe(attempts)
    expect(new Set(ends)).toEqual(new Set(['protocol-violation']))
    await holdsAtMost(mostGrowthBytes, before)
    await servesAnHonestPeer(listener)
    await expect.poll(() => listener.connectionCount).toBe(0)
  })
})

describe('a peer that is slow on purpose has only its time', () => {
  it.each([
    ['says nothing', () => new Uint8Array()],
    ['sends its first frame byte by byte', (i: number) => connected.subarray(i, i + 1)],
  ])('before it is ready: %s', async (_name, byteAt) => {
    const { listener, ends } = await port({ readyLimitMs: 1_500 })
    const socket = await bare(listener.port)
    let at = 0
    const dribble = setInterval(() => socket.write(byteAt(at++)), 150)
    onTestFinished(() => clearInterval(dribble))
    await expect.poll(() => ends).toEqual(['peer-silent'])
    await servesAnHonestPeer(listener)
  })

  it('with a frame that comes byte by byte and never ends', async () => {
    const { listener, ends } = await port({ idleLimitMs: 1_500 })
    const socket = await bare(listener.port)
    socket.write(Buffer.concat([connected, header(2 ** 24, 1)]))
    const dribble = setInterval(() => socket.write(Buffer.alloc(1)), 20)
    onTestFinished(() => clearInterval(dribble))
    await expect.poll(() => ends).toEqual(['peer-silent'])
    await servesAnHonestPeer(listener)
  })

  it('but a long frame on a slow line gets through', async () => {
    // In all longer than it may be silent, with pauses that are far shorter, also on a busy computer.
    const { listener, ends } = await port({ idleLimitMs: 2_000 })
    const socket = await bare(listener.port)
    const received = packets(socket)
    socket.write(connected)
    const long = query(1, 1n, encode({ '@type': 'client.authorizeWithProxyShort', data: new Uint8Array(400_000) }))
    for (let at = 0; at < long.length; at += 20_000) {
      socket.write(long.subarray(at, at + 20_000))
      await sleep(150)
    }
    await expect.poll(() => received.at(-1)?.['@type']).toBe('tcp.queryAnswer')
    expect(ends).toEqual([])
  })

  it('that leave unfinished frames behind hold no more than they sent', async () => {
    const { listener } = await port()
    const before = await heldBytes()
    const sockets = await Promise.all(Array.from({ length: attempts }, () => bare(listener.port)))
    for (const socket of sockets) socket.write(Buffer.concat([connected, header(2 ** 24, 1), Buffer.alloc(1_000)]))
    await expect.poll(() => listener.connectionCount).toBe(attempts)
    await sleep(100)
    // Of 1.6 GB that were announced.
    await holdsAtMost(mostGrowthBytes, before)
  })
})

describe('the unfinished frames of a port', () => {
  it('hold no more than its budget: the one that has been coming in longest goes, and others come in', async () => {
    const { listener, ends } = await port({}, 8 << 20)
    const before = await heldBytes()
    const sockets: Socket[] = []
    for (let at = 0; at < 20; at++) {
      const socket = await bare(listener.port)
      sockets.push(socket.resume())
      socket.write(Buffer.concat([connected, header(2 ** 24, 1), Buffer.alloc(2 << 20)]))
      await sleep(10)
    }
    await expect.poll(() => ends.length).toBeGreaterThanOrEqual(16)
    expect(new Set(ends)).toEqual(new Set(['peer-stalled']))
    await expect.poll(() => sockets[0]?.destroyed).toBe(true)
    expect(sockets[19]?.destroyed).toBe(false)
    await holdsAtMost(2 * mostGrowthBytes, before)
    await servesAnHonestPeer(listener)
    const { connection } = await dialDirect({ host: '127.0.0.1', port: listener.port, plain: true })
    onTestFinished(() => connection.close())
    await connection.start({})
    const large = encode({ '@type': 'client.authorizeWithProxyShort', data: new Uint8Array(6 << 20) })
    expect((await connection.query(large, { timeoutMs: 60_000 })).length).toBe(large.length)
  })
})

describe('what a peer may send, but means harm by', () => {
  async function hostile(limits: PacketConnectionLimits = {}) {
    const { listener, ends } = await port(limits)
    const socket = await bare(listener.port)
    const received = packets(socket)
    socket.write(connected)
    await expect.poll(() => received.length).toBe(1)
    return { listener, ends, socket, received }
  }
  const answers = (received: readonly TcpPacket[]): TcpPacket[] => received.slice(1)

  it('vectors of four thousand million elements are refused, and the connection stays', async () => {
    const { listener, ends, socket, received } = await hostile()
    const before = await heldBytes()
    for (let i = 0; i < attempts; i++) socket.write(query(1 + i, BigInt(i), twoHugeVectors))
    await expect.poll(() => answers(received).length).toBe(attempts)
    expect(new Set(answers(received).map((one) => one['@type']))).toEqual(new Set(['tcp.queryError']))
    await holdsAtMost(mostGrowthBytes, before)
    expect(ends).toEqual([])
    await servesAnHonestPeer(listener)
  })

  it('vectors as large as a frame can hold do not become gigabytes', async () => {
    const { ends, socket, received } = await hostile()
    const before = await heldBytes()
    // A million empty headers in 8 MB: refused by their number. As many as are allowed: taken, and gone afterwards.
    for (const [i, count] of [1_000_000, 65_537, 65_536].entries()) socket.write(query(1 + i, BigInt(i), emptyHeaders(count)))
    await expect.poll(() => answers(received).length).toBe(3)
    expect(answers(received).map((one) => one['@type'])).toEqual(['tcp.queryError', 'tcp.queryError', 'tcp.queryAnswer'])
    received.length = 0
    await holdsAtMost(mostGrowthBytes, before)
    expect(ends).toEqual([])
  })

  it('unknown functions are answered as the network answers them, however many', async () => {
    const { ends, socket, received } = await hostile()
    for (let i = 0; i < 1_000; i++) socket.write(query(1 + i, BigInt(i), hex('deadbeef')))
    await expect.poll(() => answers(received).length).toBe(1_000)
    expect(
      answers(received).every((one) => one['@type'] === 'tcp.queryError' && one.code === 0 && one.message === 'Lost promise'),
    ).toBe(true)
    expect(ends).toEqual([])
  })

  it('one query id for a thousand queries gets a thousand answers', async () => {
    const { ends, socket, received } = await hostile()
    const asked = encode({ '@type': 'client.getWorkerTypesV2' })
    for (let i = 0; i < 1_000; i++) socket.write(query(1 + i, 7n, asked))
    await expect.poll(() => answers(received).length).toBe(1_000)
    expect(answers(received).every((one) => one['@type'] === 'tcp.queryAnswer' && one.id === 7n)).toBe(true)
    expect(ends).toEqual([])
  })

  it('answers to questions that were not asked are dropped, with and without error', async () => {
    const { listener, ends, socket, received } = await hostile()
    const before = await heldBytes()
    for (let i = 0; i < 2_000; i++) {
      const id = BigInt(i) * 0x1234_5678n
      socket.write(
        i % 2 === 0
          ? frame(1 + i, { '@type': 'tcp.queryAnswer', id, data: new Uint8Array(500) })
          : frame(1 + i, { '@type': 'tcp.queryError', id, code: 601, message: 'x'.repeat(200) }),
      )
    }
    socket.write(frame(2_001, { '@type': 'tcp.ping', id: 3n }))
    await expect.poll(() => received.at(-1)).toEqual({ '@type': 'tcp.pong', id: 3n })
    await holdsAtMost(mostGrowthBytes, before)
    expect(ends).toEqual([])
    await servesAnHonestPeer(listener)
  })

  it('an answer on another connection helps nobody', async () => {
    const connections: Parameters<Parameters<typeof listen>[1]>[0]['connection'][] = []
    const listener = await listen({ host: '127.0.0.1', port: 0, plain: true }, ({ connection }) => {
      connections.push(connection)
      connection.start({}).catch(() => undefined)
    })
    onTestFinished(() => listener.close())
    const [victim, thief] = [await bare(listener.port), await bare(listener.port)]
    const asked = packets(victim)
    for (const socket of [victim, thief]) socket.write(connected)
    await expect.poll(() => connections.filter(({ isReady }) => isReady).length).toBe(2)
    const waiting = codeOf(connections[0]?.query(new Uint8Array(4), { timeoutMs: 400 }) ?? Promise.resolve())
    await expect.poll(() => asked.at(-1)?.['@type']).toBe('tcp.query')
    const question = asked.at(-1)
    if (question?.['@type'] !== 'tcp.query') throw new Error('no question')
    thief.write(frame(1, { '@type': 'tcp.queryAnswer', id: question.id, data: hex('00000000') }))
    expect(await waiting).toBe('query-timeout')
    expect(connections[1]?.isReady).toBe(true)
  })

  it('a flood of pings whose answers are not read ends the connection instead of filling memory', async () => {
    const { ends, socket } = await hostile({ sendBufferBytes: 1 << 20, stallLimitMs: 60_000 })
    const before = await heldBytes()
    socket.pause()
    const flood = Buffer.concat(Array.from({ length: 20_000 }, (_, i) => frame(1 + i, { '@type': 'tcp.ping', id: 1n })))
    socket.write(flood)
    for (let i = 1; i < 20; i++) {
      const more = Buffer.concat(
        Array.from({ length: 20_000 }, (_, k) => frame(1 + i * 20_000 + k, { '@type': 'tcp.ping', id: 1n })),
      )
      await new Promise<void>((resolve) => socket.write(more, () => resolve()))
    }
    await expect.poll(() => ends).toEqual(['peer-stalled'])
    await holdsAtMost(2 * mostGrowthBytes, before)
  })

  it('queries without end whose answers are late are not read faster than they are answered', async () => {
    const gate = Promise.withResolvers<void>()
    let running = 0
    const listener = await listen(
      { host: '127.0.0.1', port: 0, plain: true, limits: { mostOpenQueries: 16 } },
      ({ connection }) => {
        const answer = async (): Promise<Uint8Array> => {
          running++
          await gate.promise
          return new Uint8Array(4)
        }
        connection.start({ onQuery: answer }).catch(() => undefined)
      },
    )
    onTestFinished(() => listener.close())
    const socket = await bare(listener.port)
    const received = packets(socket)
    const before = await heldBytes()
    socket.write(connected)
    for (let i = 0; i < 2_000; i++) socket.write(query(1 + i, BigInt(i), new Uint8Array(1_000)))
    await sleep(200)
    expect(running).toBe(16)
    await holdsAtMost(mostGrowthBytes, before)
    gate.resolve()
    await expect.poll(() => answers(received).length).toBe(2_000)
  })
})

describe('those who cheat at the proof of work', () => {
  let identity: Identity
  beforeAll(async () => {
    identity = await createIdentity()
  })
  const difficulty = 16

  async function guarded(): Promise<Listener> {
    const listener = await listen(
      { host: '127.0.0.1', port: 0, difficulty, identity, policy: { kind: 'any' } },
      ({ connection }) => {
        connection.start({}).catch(() => undefined)
      },
    )
    onTestFinished(() => listener.close())
    return listener
  }

  /** Answers the challenge of a port, and waits until it hangs up. */
  async function cheat(listener: Listener, respond: (challenge: Uint8Array) => Uint8Array | Promise<Uint8Array>): Promise<void> {
    const socket = await bare(listener.port)
    const gone = new Promise((resolve) => socket.on('close', resolve))
    const challenge = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
    expect(challenge).toHaveLength(challengeBytes)
    socket.write(await respond(new Uint8Array(challenge)))
    await gone
  }
  const withNonce = (nonce: bigint): Uint8Array => {
    const bytes = Buffer.concat([hex('19738201'), Buffer.alloc(8)])
    bytes.writeBigInt64LE(nonce, 4)
    return bytes
  }

  it.each([
    ['a nonce at random', () => withNonce(123n)],
    ['the largest and the smallest nonce', () => withNonce(-(2n ** 63n))],
    ['the work for an easier challenge', (challenge: Uint8Array) => solve(eased(challenge, 4))],
    ['the work for another challenge', () => solve(createChallenge(difficulty))],
    [
      'the right work under another magic',
      async (challenge: Uint8Array) => Buffer.concat([hex('19738202'), (await solve(challenge)).subarray(4)]),
    ],
    ['the challenge sent back', (challenge: Uint8Array) => challenge],
    ['TLS at once', () => hex('160301010001000001fc0303').subarray(0, 12)],
  ])('%s', async (_name, respond) => {
    const listener = await guarded()
    for (let i = 0; i < 5; i++) await cheat(listener, respond)
    await expect.poll(() => [listener.handshakeCount, listener.connectionCount]).toEqual([0, 0])
    const { connection } = await dialDirect({ host: '127.0.0.1', port: listener.port, identity, policy: { kind: 'any' } })
    await connection.start({})
  })

  it('work done once is not good for a second connection', async () => {
    const listener = await guarded()
    const first = await bare(listener.port)
    const challenge = await new Promise<Buffer>((resolve) => first.once('data', resolve))
    const response = await solve(new Uint8Array(challenge))
    first.write(response)
    await cheat(listener, () => response)
    expect(first.destroyed).toBe(false)
  })

  function eased(challenge: Uint8Array, bits: number): Uint8Array {
    const copy = challenge.slice()
    new DataView(copy.buffer).setInt32(4, bits, true)
    return copy
  }
})
