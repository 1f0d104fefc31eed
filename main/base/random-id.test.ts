import { expect, it } from 'vitest'
import { randomId } from './random-id.ts'

it('a random id is 32 bytes of its own, over many fillings of the pool', () => {
  const ids = Array.from({ length: 1_000 }, randomId)
  expect(new Set(ids.map((id) => Buffer.from(id).toString('hex'))).size).toBe(1_000)
  expect(ids.every((id) => id.length === 32 && id.buffer.byteLength === 32)).toBe(true)
  // Each bit is set in about half of them.
  for (let bit = 0; bit < 256; bit++) {
    const set = ids.filter((id) => (((id[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1).length
    expect(set).toBeGreaterThan(380)
    expect(set).toBeLessThan(620)
  }
})
