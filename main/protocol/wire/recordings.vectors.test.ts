import { describe, expect, it } from 'vitest'
import { connectionsOf, eventCase, type VectorEvent, type VectorFile, vectorFiles } from '../testing/vector-cases.ts'
import { comparable, inNotation } from '../testing/vector-notation.ts'
import { notRun, ran } from '../testing/vector-runs.ts'
import { readAny, wholeSchema, writeAny } from '../testing/whole-schema.ts'
import { decode, encodeWithHeadroom, nameOf } from '../tl/codec.ts'
import { FrameParser, frameHeaderBytes, writeFrameHeader } from './frames.ts'
import { peerInfoHeaderBytes, readPeerInfo, readPeerInfoLength, writePeerInfo } from './peer-info.ts'
import { readChallenge, solve, verify } from './proof-of-work.ts'
import { readSocksAddress, socksCommands, socksMethods, socksReplies, socksVersion, writeSocksAddress } from './socks5.ts'
import { readTcpPacket } from './tcp-packets.ts'

type Json = Readonly<Record<string, unknown>>

const hex = (text = ''): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const files = vectorFiles.filter((file) => file.startsWith('wire/'))

/** One frame with its packet: bytes to value, value to bytes, and the same for every object inside. */
function replayFrame(event: VectorEvent): void {
  const bytes = hex(event.frame_hex)
  if (event.tl === undefined) {
    // A peer that broke the rules sent it: it must not be taken for a packet.
    expect(() => new FrameParser().push(withSeqno(bytes, 0), (payload) => readTcpPacket(payload))).toThrow()
    return
  }
  const packet = readTcpPacket(bytes.slice(frameHeaderBytes))
  expect(comparable(inNotation(packet))).toEqual(comparable(event.tl))
  const frame = encodeWithHeadroom(packet, frameHeaderBytes)
  writeFrameHeader(frame, event.seqno ?? 0)
  expect(toHex(frame)).toBe(event.frame_hex)
  replayInside(event.tl, packet)
}

function withSeqno(bytes: Uint8Array, seqno: number): Uint8Array {
  const copy = bytes.slice()
  new DataView(copy.buffer).setInt32(4, seqno, true)
  return copy
}

/** Objects inside bytes: `data`, `query` and `answer`, wherever the recording shows what they hold. */
function replayInside(recorded: unknown, read: object): void {
  const notes: Json = { ...(recorded as Json) }
  const value: Json = { ...(read as Json) }
  for (const [name, note] of Object.entries(notes)) {
    const field = name.replace(/_(decoded|text)$/, '')
    if (name === field) continue
    const bytes = value[field]
    if (!(bytes instanceof Uint8Array)) throw new Error(`${field} holds no bytes`)
    if (name.endsWith('_text')) {
      expect(new TextDecoder().decode(bytes)).toBe(note)
      continue
    }
    const inner = readAny(bytes)
    expect(comparable(inNotation(inner, wholeSchema))).toEqual(comparable(note))
    expect(toHex(writeAny(inner))).toBe(toHex(bytes))
    const type = nameOf(bytes)
    if (type !== undefined) expect(decode(bytes, type)).toEqual(inner)
    replayInside(note, inner)
  }
}

function replayPeerInfo(event: VectorEvent & { decoded?: unknown }): void {
  const bytes = hex(event.hex)
  const header = bytes.subarray(0, peerInfoHeaderBytes)
  if (new DataView(bytes.buffer).getUint32(0, true) > 16_536) {
    expect(() => readPeerInfoLength(header)).toThrow('no peer information')
    return
  }
  const info = readPeerInfo(bytes.subarray(peerInfoHeaderBytes, peerInfoHeaderBytes + readPeerInfoLength(header)))
  expect(toHex(writePeerInfo(info))).toBe(event.hex)
  if (event.decoded === undefined) return
  expect({
    attestation_present: info.attestation !== undefined,
    collateral_root_hash: toHex(info.collateralRootHash),
    public_key: toHex(info.publicKey),
    source_ip: info.source.ip,
    source_port: `number ${info.source.port}`,
    destination_ip: info.destination.ip,
    destination_port: `number ${info.destination.port}`,
    _leftover: 'number 0',
  }).toEqual(event.decoded)
}

async function replay(event: VectorEvent, before: VectorEvent | undefined): Promise<void> {
  switch (event.kind) {
    case 'frame':
      return replayFrame(event)
    case 'attested-peer-info':
      return replayPeerInfo(event)
    case 'socks5-greeting':
      return expect(event.hex).toBe(toHex(Uint8Array.of(socksVersion, 1, socksMethods.none)))
    case 'socks5-method-reply':
      return expect(event.hex).toBe(toHex(Uint8Array.of(socksVersion, socksMethods.none)))
    case 'socks5-connect-request':
    case 'socks5-connect-reply': {
      const code = event.kind.endsWith('request') ? socksCommands.connect : socksReplies.succeeded
      return expect(toHex(writeSocksAddress(code, readSocksAddress(hex(event.hex).subarray(4))))).toBe(event.hex)
    }
    case 'pow-challenge':
      return expect(readChallenge(hex(event.hex)).difficulty).toBe(20)
    case 'pow-response':
      expect(verify(hex(before?.hex), hex(event.hex))).toBe(true)
      return expect(toHex(await solve(hex(before?.hex)))).toBe(event.hex)
    default:
      throw new Error(`${event.kind} is not replayed here`)
  }
}

/** HTTP at the outer ends and bare bytes of broken peers are played against the roles. */
const elsewhere: ReadonlySet<string> = new Set(['bytes', 'tls'])

describe.each(files)('%s', (file: VectorFile) => {
  const connections = connectionsOf(file)

  it('every message is read and written again byte for byte', async () => {
    for (const { name, events } of connections) {
      for (const [i, event] of events.entries()) {
        if (event.kind.startsWith('event-') || elsewhere.has(event.kind)) continue
        await replay(event, events[i - 1]).catch((error: unknown) => {
          throw new Error(`${eventCase(name, event)}: ${String(error)}`, { cause: error })
        })
        ran(file, eventCase(name, event))
      }
    }
    const ours = (name: string): boolean => name.includes('/') && !/ (bytes|tls)$|^(played|step): /.test(name)
    expect(notRun(file, ours)).toEqual([])
  })
})

describe.each(files.filter((file) => file.includes('session')))('%s', (file: VectorFile) => {
  const connections = connectionsOf(file)

  it('every direction of a connection is cut into its frames, wherever the chunks end', () => {
    let frames = 0
    for (const { name, events } of connections) {
      for (const direction of ['c2s', 's2c']) {
        const sent = events.filter((event) => event.kind === 'frame' && event.dir === direction)
        const stream = Buffer.from(sent.map((event) => event.frame_hex ?? '').join(''), 'hex')
        const payloads: string[] = []
        const parser = new FrameParser()
        for (let at = 0, size = 1; at < stream.length; at += size, size = Math.max(1, (size * 7) % 1009)) {
          parser.push(stream.subarray(at, at + size), (payload) => payloads.push(toHex(payload)))
        }
        expect([name, payloads]).toEqual([name, sent.map((event) => event.frame_hex?.slice(2 * frameHeaderBytes))])
        frames += payloads.length
      }
    }
    expect(frames).toBe(connections.flatMap(({ events }) => events).filter((event) => event.kind === 'frame').length)
    expect(frames).toBeGreaterThan(200)
  })
})
