import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decode, encode, encodeWithHeadroom, nameOf } from '../tl/codec.ts'
import { FrameParser, frameHeaderBytes, writeFrameHeader } from './frames.ts'
import { readTcpPacket } from './tcp-packets.ts'

interface Event {
  kind: string
  dir: string | null
  frame_hex?: string
  seqno?: number
  tl?: { '@type'?: string }
}
interface Connection {
  events: Event[]
}
interface Recording {
  connections?: Connection[]
  cases?: { connections: Connection[] }[]
}

/** Recordings of the reference’s own programs talking, with the number of frames and of inner objects in each. */
const recordings: [name: string, frames: number, inner: number][] = [
  ['session_short_auth_worker_states', 226, 166],
  ['session_long_auth_clean_proxy_restart', 592, 332],
]

describe('recorded sessions of the reference', () => {
  it.each(recordings)('%s is read and written again byte for byte', (name, frameCount, innerCount) => {
    const text = readFileSync(new URL(`../vectors/wire/${name}.json`, import.meta.url), 'utf8')
    const recording: Recording = JSON.parse(text)
    const connections = recording.connections ?? (recording.cases ?? []).flatMap((one) => one.connections)
    let frames = 0
    let inner = 0
    for (const { events } of connections) {
      for (const direction of ['c2s', 's2c']) {
        const sent = events.filter((event) => event.kind === 'frame' && event.dir === direction)
        const stream = Buffer.from(sent.map((event) => event.frame_hex ?? '').join(''), 'hex')
        const payloads: Uint8Array[] = []
        const parser = new FrameParser()
        // Pieces of changing size, so that headers and payloads are cut everywhere.
        for (let at = 0, size = 1; at < stream.length; at += size, size = (size * 7) % 1009) {
          size = Math.max(1, size)
          parser.push(stream.subarray(at, at + size), (payload) => payloads.push(payload.slice()))
        }
        expect(payloads.length).toBe(sent.length)
        for (const [i, payload] of payloads.entries()) {
          const packet = readTcpPacket(payload)
          expect(packet['@type']).toBe(sent[i]?.tl?.['@type'])
          const frame = encodeWithHeadroom(packet, frameHeaderBytes)
          writeFrameHeader(frame, i)
          expect(Buffer.from(frame).toString('hex')).toBe(sent[i]?.frame_hex)
          frames++
          if (!('data' in packet)) continue
          const type = nameOf(packet.data)
          if (type === undefined) throw new Error(`unknown object in frame ${i}`)
          expect(encode(decode(packet.data, type))).toEqual(packet.data)
          inner++
        }
      }
    }
    expect([frames, inner]).toEqual([frameCount, innerCount])
  })
})
