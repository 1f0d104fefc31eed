import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSealer } from './sealer.ts'

const key = new Uint8Array(randomBytes(32))
const place = { table: 'turn', row: 'a', column: 'question' }

describe('sealer', () => {
  it('opens what it sealed: bytes, text, JSON, empty values', () => {
    const sealer = createSealer(key)
    expect(sealer.open(sealer.seal(Uint8Array.of(0, 255), place), place)).toEqual(Uint8Array.of(0, 255))
    expect(sealer.openText(sealer.sealText('Grüße 🦋', place), place)).toBe('Grüße 🦋')
    expect(sealer.openText(sealer.sealText('', place), place)).toBe('')
    expect(sealer.openJson(sealer.sealJson({ a: [1, null] }, place), place)).toEqual({ a: [1, null] })
  })

  it('never gives the same bytes twice', () => {
    const sealer = createSealer(key)
    expect(sealer.sealText('same', place)).not.toEqual(sealer.sealText('same', place))
  })

  it('refuses another row, column, table, key, and every flipped bit', () => {
    const sealer = createSealer(key)
    const sealed = sealer.sealText('hello', place)
    const places = [
      { ...place, row: 'b' },
      { ...place, column: 'answer' },
      { ...place, table: 'chat' },
      { table: 'turn', row: 'question', column: 'a' },
    ]
    for (const other of places) expect(() => sealer.openText(sealed, other)).toThrow(/changed from outside/)
    expect(() => createSealer(new Uint8Array(randomBytes(32))).openText(sealed, place)).toThrow(/changed from outside/)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Uint8Array.from(sealed)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => sealer.openText(flipped, place)).toThrow(/changed from outside/)
    }
    for (let length = 0; length < sealed.length; length++)
      expect(() => sealer.openText(sealed.subarray(0, length), place)).toThrow(/changed from outside/)
  })

  it('is of no use after close, and refuses keys of a wrong length', () => {
    const sealer = createSealer(key)
    const sealed = sealer.sealText('hello', place)
    sealer.close()
    expect(() => sealer.openText(sealed, place)).toThrow('locked')
    expect(() => sealer.sealText('hello', place)).toThrow('locked')
    expect(() => createSealer(new Uint8Array(16))).toThrow('32 bytes')
  })
})
