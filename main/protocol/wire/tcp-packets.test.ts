import { describe, expect, it } from 'vitest'
import { encode } from '../tl/codec.ts'
import { frameHeaderBytes } from './frames.ts'
import { encodePacket, readTcpPacket } from './tcp-packets.ts'

describe('a packet that is encoded in its frame', () => {
  it('is byte for byte the wrapped object, with a short and with a long length', () => {
    for (const length of [0, 1, 100, 150, 200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 300, 70_000]) {
      const object = {
        '@type': 'client.queryAnswerPartEx',
        request_id: new Uint8Array(32).fill(3),
        answer: new Uint8Array(length).fill(7),
        flags: 0,
      } as const
      const data = encode(object)
      const { frame, dataBytes } = encodePacket(object)
      expect(dataBytes).toBe(data.length)
      expect(Buffer.from(frame.subarray(frameHeaderBytes))).toEqual(Buffer.from(encode({ '@type': 'tcp.packet', data })))
      expect(readTcpPacket(frame.subarray(frameHeaderBytes))).toEqual({ '@type': 'tcp.packet', data })
    }
    // The lengths above reach both sides of the border.
    expect(encodePacket({ '@type': 'client.updatePaymentStatus' }).dataBytes).toBe(4)
  })
})
