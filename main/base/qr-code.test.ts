import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { qrLines, qrMatrix } from './qr-code.ts'

describe('a QR code', () => {
  // These very matrices were read back, to the byte, by an independent decoder.
  it.each<[string, string, number, string]>([
    ['two letters', 'tc', 1, '85199d82c19864869b56baa287ae565367f9e827760d72562efca0b0a1c82ad0'],
    ['a first version with version bits', 'x'.repeat(140), 7, 'd2fc591997d321affd6887b413d08a445b848753d771985757112802cd62d142'],
    [
      'a link',
      `https://app.tonkeeper.com/ton-connect?v=2&id=${'ab'.repeat(32)}&r=${'%7B%22manifestUrl%22%3A'.repeat(12)}`,
      13,
      'a58e1555300a387022eb74b9d57e0f996493ceb4f77e11448cfd1fbdcd40fe1f',
    ],
    ['other letters', 'Привет '.repeat(60), 19, '564f04607aec6114eb6aa9c4eeff0613781a99d7ec7d52cb9d58e1c0125a36ff'],
  ])('of %s is what a decoder has read', (_what, text, version, hash) => {
    const matrix = qrMatrix(text)
    expect(matrix.length).toBe(17 + 4 * version)
    const drawn = matrix.map((row) => row.map((dark) => (dark ? 1 : 0)).join('')).join('\n')
    expect(createHash('sha256').update(drawn).digest('hex')).toBe(hash)
  })

  it('is printed two rows a line, with a quiet zone around it', () => {
    const lines = qrLines('tc')
    expect(lines.length).toBe(Math.ceil((21 + 8) / 2))
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([21 + 8]))
    expect(lines.slice(0, 2).join('').trim()).toBe('')
    expect(lines[2]).toMatch(/^ {4}█▀▀▀▀▀█/)
  })

  it('holds up to 2953 bytes, and says so', () => {
    expect(qrMatrix('x'.repeat(2953)).length).toBe(177)
    expect(() => qrMatrix('x'.repeat(2954))).toThrow(/2954 bytes/)
  })
})
