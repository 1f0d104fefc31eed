import { describe, expect, it, onTestFinished } from 'vitest'
import { decode, encode } from '../tl/codec.ts'
import { PacketConnection, type PacketConnectionLimits, type PacketHandlers } from './connection.ts'
import { FrameParser } from './frames.ts'
import { mostDataBytes, readTcpPacket, type TcpPacket } from './tcp-packets.ts'
import { codeOf, everything, frame, sleep, socketPair } from './testing.ts'
import { QueryRefused, TcpQueryError } from './wire-error.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const untext = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const connectPacket: TcpPacket = { '@type': 'tcp.connect', id: 5n }

/** Two connections over one TCP connection, both ready. */
async function connectedPair(
  near: PacketHandlers & { limits?: PacketConnectionLimits },
  far: PacketHandlers & { limits?: PacketConnectionLimits },
) {
  const sockets = await socketPair()
  onTestFinished(sockets.close)
  const a = new PacketConnection(sockets.near, { role: 'connecting', ...near.limits })
  const b = new PacketConnection(sockets.far, { role: 'accepting', ...far.limits })
  await Promise.all([a.start(near), b.start(far)])
  return { a, b, sockets }
}

/** An accepting connection whose peer is a bare socket driven by the test. */
async function scripted(handlers: PacketHandlers = {}, limits: PacketConnectionLimits = {}) {
  const sockets = await socketPair()
  onTestFinished(sockets.close)
  const connection = new PacketConnection(sockets.far, { role: 'accepting', ...limits })
  const ready = connection.start(handlers)
  ready.catch(() => undefined)
  return { peer: sockets.near, connection, sockets }
}

/** The last packet that came, once it is a query. */
async function queryIn(received: readonly Uint8Array[]): Promise<Extract<TcpPacket, { '@type': 'tcp.query' }>> {
  let last: TcpPacket | undefined
  await expect
    .poll(() => {
      last = packetsIn(Buffer.concat(received)).at(-1)
      return last?.['@type']
    })
    .toBe('tcp.query')
  return last?.['@type'] === 'tcp.query' ? last : expect.unreachable('no query')
}

/** Packets in a byte stream. */
function packetsIn(stream: Uint8Array): TcpPacket[] {
  const packets: TcpPacket[] = []
  new FrameParser().push(stream, (payload) => packets.push(readTcpPacket(payload)))
  return packets
}

describe('queries and packets', () => {
  it('go both ways', async () => {
    const seen: string[] = []
    const { a, b } = await connectedPair(
      { onQuery: (data) => text(`near ${untext(data)}`) },
      { onQuery: async (data) => text(`far ${untext(data)}`), onPacket: (data) => void seen.push(untext(data)) },
    )
    expect(a.isReady && b.isReady).toBe(true)
    expect(untext(await a.query(text('1'), { timeoutMs: 60_000 }))).toBe('far 1')
    expect(untext(await b.query(text('2'), { timeoutMs: 60_000 }))).toBe('near 2')
    await a.send(text('one'))
    await a.send(text('two'))
    await a.query(text('3'), { timeoutMs: 60_000 })
    expect(seen).toEqual(['one', 'two'])
  })

  it('carries the largest packet and refuses a larger one without sending it', async () => {
    const arrived = Promise.withResolvers<Uint8Array>()
    const { a } = await connectedPair({}, { onPacket: arrived.resolve, onQuery: (data) => data })
    const largest = new Uint8Array(mostDataBytes)
    largest.fill(7, -100)
    expect(await codeOf(a.send(new Uint8Array(mostDataBytes + 1)))).toBe('send-too-large')
    await a.send(largest)
    expect(Buffer.compare(await arrived.promise, largest)).toBe(0)
    expect(await a.query(text('still there'), { timeoutMs: 60_000 })).toEqual(text('still there'))
  })

  it('answers refusals as the protocol says', async () => {
    const { a } = await connectedPair(
      {},
      {
        onQuery: (data) => {
          const query = decode(
            data,
            'client.getWorkerTypes',
            'client.authorizeWithProxyShort',
            'client.updatePaymentStatus',
            'tcp.packet',
          )
          if (query['@type'] === 'client.getWorkerTypes') throw new QueryRefused(651, 'no workers')
          if (query['@type'] === 'client.updatePaymentStatus') throw new Error('secret detail')
          if (query['@type'] === 'tcp.packet') return new Uint8Array(mostDataBytes + 1)
          return encode(query)
        },
      },
    )
    const refusal = async (data: Uint8Array): Promise<unknown[]> => {
      try {
        await a.query(data, { timeoutMs: 60_000 })
        return []
      } catch (error) {
        return error instanceof TcpQueryError ? [error.peerCode, error.peerMessage] : [error]
      }
    }
    expect(await refusal(encode({ '@type': 'client.getWorkerTypes' }))).toEqual([651, 'no workers'])
    expect(await refusal(encode({ '@type': 'client.requestRefund' }))).toEqual([0, 'Lost promise'])
    expect(await refusal(text('abcd'))).toEqual([0, 'Lost promise'])
    expect(await refusal(encode({ '@type': 'client.updatePaymentStatus' }))).toEqual([601, 'Internal error'])
    expect((await refusal(encode({ '@type': 'client.authorizeWithProxyShort', data: text('x') }).slice(0, 4)))[0]).toBe(0)
    expect(await refusal(encode({ '@type': 'tcp.packet', data: text('') }))).toEqual([602, 'The answer is too large'])
    expect(a.isReady).toBe(true)
  })

  it('says Lost promise when nobody handles queries', async () => {
    const { a } = await connectedPair({}, {})
    await expect(a.query(text('?'), { timeoutMs: 60_000 })).rejects.toMatchObject({ peerCode: 0, peerMessage: 'Lost promise' })
  })

  it('passes on no more than the beginning of what the peer says', async () => {
    const words = 'x'.repeat(8 << 20)
    const { a } = await connectedPair({}, { onQuery: () => Promise.reject(new QueryRefused(602, words)) })
    const refused = await a.query(text('?'), { timeoutMs: 60_000 }).catch((thrown: unknown) => thrown)
    expect(refused).toMatchObject({ peerMessage: words.slice(0, 300) })
    expect((refused as Error).message).toHaveLength('The peer refused (602): '.length + 300)
  })

  it('times out and can be given up, and the connection goes on', async () => {
    const { a } = await connectedPair({}, { onQuery: (data) => (data.length === 0 ? new Promise(() => undefined) : data) })
    expect(await codeOf(a.query(new Uint8Array(), { timeoutMs: 30 }))).toBe('query-timeout')
    const given = new AbortController()
    const waiting = codeOf(a.query(new Uint8Array(), { timeoutMs: 10_000, signal: given.signal }))
    given.abort()
    expect(await waiting).toBe('query-aborted')
    expect(await codeOf(a.query(new Uint8Array(), { timeoutMs: 10_000, signal: given.signal }))).toBe('query-aborted')
    expect(untext(await a.query(text('ok'), { timeoutMs: 60_000 }))).toBe('ok')
  })

  it('lets the waiter of an answer run before what was sent after the answer is handed out', async () => {
    const order: string[] = []
    let sendAfter = (): void => undefined
    const { a, b } = await connectedPair(
      { onPacket: () => void order.push('packet') },
      {
        onQuery: (data) => {
          setImmediate(() => sendAfter())
          return data
        },
      },
    )
    sendAfter = () => void b.send(text('after'))
    const passOn = async (): Promise<void> => {
      await (async () => a.query(text('q'), { timeoutMs: 60_000 }))()
      await Promise.resolve()
      order.push('answer')
    }
    await passOn()
    await expect.poll(() => order).toEqual(['answer', 'packet'])
  })

  it('does so even when both come in one segment', async () => {
    const order: string[] = []
    const { peer, connection } = await scripted({ onPacket: () => void order.push('packet') })
    const received: Uint8Array[] = []
    peer.on('data', (chunk: Buffer) => received.push(chunk))
    peer.write(frame(0, connectPacket))
    await connection.ready
    const answered = connection.query(text('q'), { timeoutMs: 60_000 }).then(async () => {
      await Promise.resolve()
      order.push('answer')
    })
    const query = await queryIn(received)
    peer.write(
      Buffer.concat([
        frame(1, { '@type': 'tcp.queryAnswer', id: query.id, data: text('a') }),
        frame(2, { '@type': 'tcp.packet', data: text('p') }),
      ]),
    )
    await answered
    await expect.poll(() => order).toEqual(['answer', 'packet'])
  })

  it('is fast', async () => {
    const { a } = await connectedPair({}, { onQuery: (data) => data })
    const data = new Uint8Array(100)
    const rate = async (count: number): Promise<number> => {
      const before = process.cpuUsage()
      for (let i = 0; i < count; i++) await a.query(data, { timeoutMs: 30_000 })
      const { user, system } = process.cpuUsage(before)
      return count / ((user + system) / 1e6)
    }
    await rate(1_000)
    // Of CPU time, both sides together: what other programs take meanwhile does not count.
    expect(await rate(3_000)).toBeGreaterThan(2_000)
  })
})

describe('ids of queries', () => {
  it('unknown, repeated and late answers are ignored', async () => {
    const { peer, connection } = await scripted()
    const received: Uint8Array[] = []
    peer.on('data', (chunk: Buffer) => received.push(chunk))
    peer.write(frame(0, connectPacket))
    await connection.ready
    const answer = connection.query(text('q'), { timeoutMs: 60_000 })
    const query = await queryIn(received)
    peer.write(frame(1, { '@type': 'tcp.queryAnswer', id: query.id + 1n, data: text('of another') }))
    peer.write(frame(2, { '@type': 'tcp.queryError', id: 0n, code: 1, message: 'of nobody' }))
    peer.write(frame(3, { '@type': 'tcp.queryAnswer', id: query.id, data: text('first') }))
    peer.write(frame(4, { '@type': 'tcp.queryAnswer', id: query.id, data: text('second') }))
    peer.write(frame(5, { '@type': 'tcp.queryError', id: query.id, code: 1, message: 'third' }))
    expect(untext(await answer)).toBe('first')
    await sleep(30)
    expect(connection.isReady).toBe(true)
  })

  it('an answer on another connection is not taken', async () => {
    const one = await scripted()
    const two = await scripted()
    const received: Uint8Array[] = []
    one.peer.on('data', (chunk: Buffer) => received.push(chunk))
    one.peer.write(frame(0, connectPacket))
    two.peer.write(frame(0, connectPacket))
    await Promise.all([one.connection.ready, two.connection.ready])
    const waiting = codeOf(one.connection.query(text('q'), { timeoutMs: 200 }))
    const query = await queryIn(received)
    two.peer.write(frame(1, { '@type': 'tcp.queryAnswer', id: query.id, data: text('elsewhere') }))
    expect(await waiting).toBe('query-timeout')
  })

  it('two queries of a peer with the same id are answered both', async () => {
    const { peer, connection } = await scripted({ onQuery: async (data) => data })
    const all = everything(peer)
    const received: Uint8Array[] = []
    peer.on('data', (chunk: Buffer) => received.push(chunk))
    peer.write(frame(0, connectPacket))
    peer.write(frame(1, { '@type': 'tcp.query', id: 9n, data: text('a') }))
    peer.write(frame(2, { '@type': 'tcp.query', id: 9n, data: text('b') }))
    await expect.poll(() => packetsIn(Buffer.concat(received))).toHaveLength(3)
    connection.close()
    const answers = packetsIn(await all).filter((packet) => packet['@type'] === 'tcp.queryAnswer')
    expect(answers.map((answer) => [answer.id, untext(answer.data)])).toEqual([
      [9n, 'a'],
      [9n, 'b'],
    ])
  })
})

describe('hostile peers', () => {
  const connected = frame(0, connectPacket)
  const ping = (seqno: number): Uint8Array => frame(seqno, { '@type': 'tcp.ping', id: 9n })
  const header = (length: number, seqno: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32LE(length)
    bytes.writeInt32LE(seqno, 4)
    return bytes
  }

  it.each([
    ['first frame with sequence number 1', [frame(1, connectPacket)]],
    ['repeated sequence number', [connected, ping(1), ping(1)]],
    ['skipped sequence number', [connected, ping(2)]],
    ['length 3', [connected, header(3, 1), Buffer.from('010203', 'hex')]],
    ['length 0', [connected, header(0, 1)]],
    ['length 2^24 + 1', [connected, header(2 ** 24 + 1, 1)]],
    ['length 2^32 - 1', [connected, header(2 ** 32 - 1, 1)]],
    ['ping before connect', [ping(0)]],
    ['query before connect', [frame(0, { '@type': 'tcp.query', id: 1n, data: text('x') })]],
    ['large frame before connect', [header(65, 0)]],
    ['connected instead of connect', [frame(0, { '@type': 'tcp.connected', id: 1n })]],
    ['garbage in a frame', [connected, header(8, 1), Buffer.from('deadbeefdeadbeef', 'hex')]],
    ['an application object outside of a packet', [connected, frame(1, { '@type': 'client.getWorkerTypes' })]],
    ['leftover bytes in a packet', [connected, header(16, 1), Buffer.from('7c62e9bb090000000000000000000000', 'hex')]],
    ['an HTTP request', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')]],
  ])('%s closes the connection', async (_name, parts) => {
    const { peer, connection } = await scripted({ onQuery: (data) => data })
    const all = everything(peer)
    for (const part of parts) peer.write(part)
    expect((await connection.closed).code).toBe('protocol-violation')
    await all
    expect(connection.isReady).toBe(false)
  })

  it('nothing behind a violation in the same segment is handled', async () => {
    const seen: string[] = []
    const { peer, connection } = await scripted({ onPacket: (data) => void seen.push(untext(data)) })
    peer.write(Buffer.concat([connected, ping(7), frame(8, { '@type': 'tcp.packet', data: text('late') })]))
    expect((await connection.closed).code).toBe('protocol-violation')
    await sleep(20)
    expect(seen).toEqual([])
  })

  it('a second connect is ignored, pings are answered', async () => {
    const { peer, connection } = await scripted()
    const all = everything(peer)
    const received: Uint8Array[] = []
    peer.on('data', (chunk: Buffer) => received.push(chunk))
    peer.write(Buffer.concat([connected, frame(1, connectPacket), ping(2)]))
    await connection.ready
    await expect.poll(() => packetsIn(Buffer.concat(received))).toHaveLength(2)
    connection.close()
    expect(packetsIn(await all)).toEqual([
      { '@type': 'tcp.connected', id: 5n },
      { '@type': 'tcp.pong', id: 9n },
    ])
  })

  it('bytes that dribble in one by one cost no more than the frame', () => {
    const whole = frame(0, { '@type': 'tcp.packet', data: new Uint8Array(300_000).fill(3) })
    const parser = new FrameParser()
    const payloads: Uint8Array[] = []
    const before = process.memoryUsage().arrayBuffers
    for (let at = 0; at < whole.length; at++) parser.push(whole.slice(at, at + 1), (payload) => payloads.push(payload))
    expect(payloads).toHaveLength(1)
    expect(Buffer.compare(payloads[0] ?? new Uint8Array(), whole.subarray(8))).toBe(0)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40_000_000)
  })

  it('an announced length takes no memory', () => {
    const before = process.memoryUsage().arrayBuffers
    const parsers = Array.from({ length: 50 }, () => {
      const parser = new FrameParser()
      parser.push(header(2 ** 24, 0), () => undefined)
      parser.push(new Uint8Array(100), () => undefined)
      return parser
    })
    expect(parsers).toHaveLength(50)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24)
  })
})

describe('silence', () => {
  it('a peer that never connects is dropped', async () => {
    const { connection } = await scripted({}, { readyLimitMs: 60 })
    expect((await connection.closed).code).toBe('peer-silent')
    expect(await codeOf(connection.ready)).toBe('peer-silent')
  })

  it('so is one that connects too slowly, however alive it seems', async () => {
    const { peer, connection } = await scripted({}, { readyLimitMs: 1_000 })
    let at = 0
    const dribble = setInterval(() => peer.write(frame(0, connectPacket).subarray(at, ++at)), 100)
    onTestFinished(() => clearInterval(dribble))
    expect((await connection.closed).code).toBe('peer-silent')
    expect(at).toBeGreaterThan(2)
  })

  it('the accepting side drops a silent peer and sends no pings', async () => {
    const { peer, connection } = await scripted({}, { idleLimitMs: 120, pingAfterMs: 30 })
    const all = everything(peer)
    peer.write(frame(0, connectPacket))
    expect((await connection.closed).code).toBe('peer-silent')
    expect(packetsIn(await all).map((packet) => packet['@type'])).toEqual(['tcp.connected'])
  })

  it('the connecting side pings once in each idle period, and lives as long as it is answered', async () => {
    const limits = { idleLimitMs: 2_000, pingAfterMs: 300 }
    const { a, b, sockets } = await connectedPair({ limits }, {})
    let pings = 0
    sockets.far.on('data', () => pings++)
    await sleep(3_000)
    expect(a.isReady && b.isReady).toBe(true)
    expect(pings).toBeGreaterThan(2)
    expect(pings).toBeLessThan(12)
    sockets.far.pause()
    expect((await a.closed).code).toBe('peer-silent')
  })
})

describe('the end', () => {
  it('fails pending queries at once, with the reason', async () => {
    const { a, b, sockets } = await connectedPair({}, { onQuery: () => new Promise(() => undefined) })
    const startedAt = performance.now()
    const pending = [a.query(text('1'), { timeoutMs: 60_000 }), a.query(text('2'), { timeoutMs: 60_000 })].map(codeOf)
    await sleep(20)
    sockets.far.destroy()
    const codes = await Promise.all(pending)
    expect(codes.every((code) => code === 'closed-by-peer' || code === 'connection-lost')).toBe(true)
    expect(performance.now() - startedAt).toBeLessThan(30_000)
    expect((await a.closed).code).toBe(codes[0])
    expect(await codeOf(a.send(text('x')))).toBe(codes[0])
    expect(await codeOf(a.query(text('x'), { timeoutMs: 60_000 }))).toBe(codes[0])
    await b.closed
  })

  it('fails pending queries when the connection is reset', async () => {
    const { a, sockets } = await connectedPair({}, { onQuery: () => new Promise(() => undefined) })
    const pending = codeOf(a.query(text('1'), { timeoutMs: 60_000 }))
    await sleep(20)
    sockets.far.resetAndDestroy()
    expect(await pending).toBe('connection-lost')
  })

  it('close here lets queued packets leave and tells both sides', async () => {
    const sizes: number[] = []
    const { a, b } = await connectedPair({}, { onPacket: (data) => void sizes.push(data.length) })
    for (let i = 0; i < 20; i++) void a.send(new Uint8Array(100_000))
    a.close('enough')
    expect(await a.closed).toMatchObject({ code: 'closed-here', message: 'enough' })
    expect((await b.closed).code).toBe('closed-by-peer')
    expect(sizes).toEqual(Array.from({ length: 20 }, () => 100_000))
    expect(await codeOf(a.send(text('x')))).toBe('closed-here')
  })

  it('hands out what came before the peer’s end, though the handler is slow', async () => {
    const seen: string[] = []
    const { a, b } = await connectedPair(
      {},
      {
        onPacket: async (data) => {
          await sleep(30)
          seen.push(untext(data))
        },
      },
    )
    for (const word of ['one', 'two', 'three']) void a.send(text(word))
    a.close()
    expect((await b.closed).code).toBe('closed-by-peer')
    expect(seen).toEqual(['one', 'two', 'three'])
  })

  it('a packet handler that throws ends the connection', async () => {
    const parse = await connectedPair({}, { onPacket: (data) => void decode(data, 'client.runQueryEx') })
    void parse.a.send(text('nonsense'))
    expect((await parse.b.closed).code).toBe('protocol-violation')
    const fault = await connectedPair({}, { onPacket: () => Promise.reject(new Error('disk full')) })
    void fault.a.send(text('x'))
    expect((await fault.b.closed).code).toBe('handler-failed')
  })

  it('before start nothing is sent, and close works', async () => {
    const sockets = await socketPair()
    const connection = new PacketConnection(sockets.near, { role: 'connecting' })
    expect(await codeOf(connection.send(text('x')))).toBe('not-ready')
    const all = everything(sockets.far)
    connection.close()
    expect((await all).length).toBe(0)
    expect((await connection.closed).code).toBe('closed-here')
  })
})

describe('back-pressure', () => {
  const block = new Uint8Array(256 * 1024)

  it('a sender that waits is held by a peer that stops reading, and goes on when it reads again', async () => {
    const { peer, connection } = await scripted({}, { stallLimitMs: 60_000 })
    peer.write(frame(0, connectPacket))
    await connection.ready
    peer.pause()
    let sent = 0
    const total = 200
    const sending = (async () => {
      for (; sent < total; sent++) await connection.send(block)
    })()
    let held = -1
    while (held !== sent) {
      held = sent
      await sleep(400)
    }
    expect(held).toBeLessThan(total)
    expect(connection.bufferedBytes).toBeLessThan(1024 * 1024)
    let received = 0
    peer.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    peer.resume()
    await sending
    connection.close()
    await new Promise((resolve) => peer.on('close', resolve))
    expect(received).toBe(20 + total * (block.length + 16))
  })

  it('a sender that does not wait meets a bound, and nothing is half sent', async () => {
    const { peer, connection } = await scripted({}, { sendBufferBytes: 4 * 1024 * 1024, stallLimitMs: 60_000 })
    peer.write(frame(0, connectPacket))
    await connection.ready
    peer.pause()
    const results = await Promise.all(
      Array.from({ length: 200 }, () => {
        const sent = connection.send(block)
        return Promise.race([codeOf(sent), sleep(200).then(() => 'waiting')])
      }),
    )
    expect(connection.bufferedBytes).toBeLessThanOrEqual(4 * 1024 * 1024)
    const accepted = results.filter((result) => result !== 'send-buffer-full').length
    expect(accepted).toBeLessThan(200)
    const all = everything(peer)
    peer.resume()
    connection.close()
    // Every frame that was accepted arrives whole and in order; the parser would throw on a gap.
    expect(packetsIn(await all).filter((packet) => packet['@type'] === 'tcp.packet')).toHaveLength(accepted)
  })

  it('a peer that takes nothing for too long is dropped', async () => {
    const { peer, connection } = await scripted({}, { stallLimitMs: 150, idleLimitMs: 60_000 })
    peer.write(frame(0, connectPacket))
    await connection.ready
    peer.pause()
    const sends = Array.from({ length: 100 }, () => codeOf(connection.send(block)))
    expect((await connection.closed).code).toBe('peer-stalled')
    expect(await sends[99]).toBe('peer-stalled')
  })

  it('a peer that asks and never reads is dropped instead of buffered for', async () => {
    const { peer, connection } = await scripted(
      { onQuery: () => block },
      { sendBufferBytes: 2 * 1024 * 1024, stallLimitMs: 60_000, idleLimitMs: 60_000 },
    )
    peer.pause()
    peer.write(frame(0, connectPacket))
    for (let i = 1; i < 400; i++) peer.write(frame(i, { '@type': 'tcp.query', id: BigInt(i), data: text('x') }))
    expect((await connection.closed).code).toBe('peer-stalled')
  })

  it('reading stops while a handler is slow, so that the sender is held and memory stays bounded', async () => {
    const gate = Promise.withResolvers<void>()
    let handled = 0
    const { a, b } = await connectedPair(
      { limits: { stallLimitMs: 60_000 } },
      {
        limits: { receiveBufferBytes: 512 * 1024, idleLimitMs: 2_000 },
        onPacket: async () => {
          await gate.promise
          handled++
        },
      },
    )
    const before = process.memoryUsage().arrayBuffers
    let sent = 0
    const sending = (async () => {
      for (; sent < 200; sent++) await a.send(block)
    })()
    // Longer than the idle limit: a pause of our own must not count as the peer's silence.
    await sleep(2_600)
    expect(sent).toBeLessThan(200)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000)
    expect(b.isReady).toBe(true)
    gate.resolve()
    await sending
    await a.query(text('x'), { timeoutMs: 5_000 }).catch(() => undefined)
    expect(handled).toBe(200)
  })

  it('answers still come through while a packet handler waits for one', async () => {
    const answered = Promise.withResolvers<string>()
    let far: PacketConnection | undefined
    const { a, b } = await connectedPair(
      { onQuery: (data) => data },
      {
        onPacket: async () => {
          const inner = await far?.query(text('inner'), { timeoutMs: 60_000 })
          answered.resolve(untext(inner ?? text('none')))
        },
      },
    )
    far = b
    void a.send(text('go'))
    expect(await answered.promise).toBe('inner')
  })

  it('only so many queries of a peer run at a time', async () => {
    let running = 0
    let most = 0
    const { a } = await connectedPair(
      {},
      {
        limits: { mostOpenQueries: 5 },
        onQuery: async (data) => {
          most = Math.max(most, ++running)
          await sleep(5)
          running--
          return data
        },
      },
    )
    await Promise.all(Array.from({ length: 60 }, () => a.query(text('x'), { timeoutMs: 60_000 })))
    expect(most).toBe(5)
  })
})
