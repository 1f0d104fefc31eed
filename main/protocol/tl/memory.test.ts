import { describe, expect, it } from 'vitest'
import { decoder, encode, encodeWithHeadroom, sharingDecoder } from './codec.ts'
import type { TlObject } from './types.ts'

const part = (fill: number, length: number): TlObject<'client.queryAnswerPartEx'> => ({
  '@type': 'client.queryAnswerPartEx',
  request_id: new Uint8Array(32).fill(fill),
  answer: new Uint8Array(length).fill(fill),
  flags: 0,
})
const names = ['client.queryAnswerEx', 'client.queryAnswerPartEx'] as const

describe('memory of written objects', () => {
  it('is never shared between two of them, whatever their sizes, and broken ones in between leave no trace', () => {
    const sizes = [0, 1, 3, 200, 253, 254, 300, 4_000, 66_000, 7, 300_000, 12, 65_536, 65_400, 40, 130_000]
    const written: { value: TlObject<'client.queryAnswerPartEx'>; bytes: Uint8Array }[] = []
    for (let round = 0; round < 6; round++) {
      for (const size of sizes) {
        const value = part(round, size)
        written.push({ value, bytes: encodeWithHeadroom(value, 8) })
        expect(() => encode({ ...value, request_id: new Uint8Array(31) })).toThrow()
        expect(() => encode({ '@type': 'tcp.queryError', id: 1n, code: 0.5, message: 'some text in front' })).toThrow()
      }
    }
    // Each is written over from end to end before the next is looked at: none may see it.
    for (const { value, bytes } of written) {
      expect(bytes.subarray(0, 8)).toEqual(new Uint8Array(8))
      const read = decoder(...names)(bytes.subarray(8))
      expect([Buffer.compare(read.answer, value.answer), Buffer.compare(read.request_id, value.request_id)]).toEqual([0, 0])
      bytes.fill(0xee)
    }
  })

  it('pads with zeros, also behind text that turned out not to be ASCII', () => {
    for (const text of ['é', 'abcé', `${'x'.repeat(252)}é`, '日本']) {
      const bytes = encode({ '@type': 'tcp.queryError', id: 0n, code: 0, message: text })
      const length = Buffer.byteLength(text)
      const header = length < 254 ? 1 : 4
      expect(Buffer.from(bytes.subarray(16 + header, 16 + header + length)).toString()).toBe(text)
      expect(bytes.subarray(16 + header + length).every((byte) => byte === 0)).toBe(true)
      expect(bytes.length % 4).toBe(0)
    }
  })
})

describe('memory of read objects', () => {
  it('is their own, or shared where that was asked for', () => {
    const bytes = Buffer.from(encode(part(5, 300)))
    const own = decoder(...names)(bytes)
    const shared = sharingDecoder(...names)(bytes)
    expect(shared).toEqual(own)
    bytes.fill(9)
    expect(own).toEqual(part(5, 300))
    expect([shared.answer[0], shared.request_id[0]]).toEqual([9, 9])
    // A slice of it is a copy all the same.
    const copy = shared.answer.slice()
    bytes.fill(1)
    expect(copy[0]).toBe(9)
  })
})
