import { describe, expect, it } from 'vitest'
import { type AnswerPiece, AnswerText } from './answer-text.ts'

/** Tokens are byte values here, so that characters break between them as byte tokens break them. */
function fromBytes(stops: string[] = []): AnswerText<number> {
  return new AnswerText<number>((bytes) => new TextDecoder().decode(Uint8Array.from(bytes)), stops, [])
}

function feed(answer: AnswerText<number>, bytes: Iterable<number>): AnswerPiece[] {
  const pieces: AnswerPiece[] = []
  for (const byte of bytes) {
    const piece = answer.push(byte)
    if (piece !== undefined) pieces.push(piece)
  }
  const last = answer.flush()
  if (last !== undefined) pieces.push(last)
  return pieces
}

describe('AnswerText', () => {
  it('sends whole characters only', () => {
    const text = 'aü日👋🏽z'
    const pieces = feed(fromBytes(), new TextEncoder().encode(text))
    expect(pieces.map((piece) => piece.text)).toEqual([...text])
    expect(pieces.map((piece) => piece.tokens)).toEqual([1, 2, 3, 4, 4, 1])
  })

  it('does not wait for ever for a character that was never complete', () => {
    const pieces = feed(fromBytes(), [0x61, 0xff, 0xff, 0xff, 0xff, 0x62])
    expect(pieces.map((piece) => piece.text).join('')).toBe('a\uFFFD\uFFFD\uFFFD\uFFFDb')
    expect(pieces.reduce((sum, piece) => sum + piece.tokens, 0)).toBe(6)
    expect(feed(fromBytes(), [0xf0, 0x9f]).map((piece) => piece.text)).toEqual(['\uFFFD'])
  })

  it('holds what may become a stop string, and sends it when it does not', () => {
    const bytes = new TextEncoder().encode('one ST two STOP three')
    const answer = fromBytes(['STOP'])
    expect(
      feed(answer, bytes)
        .map((piece) => piece.text)
        .join(''),
    ).toBe('one ST two ')
    expect(answer.stopped).toBe(true)
    expect(
      feed(fromBytes(['STOP']), new TextEncoder().encode('a STO'))
        .map((piece) => piece.text)
        .join(''),
    ).toBe('a STO')
  })

  it('ends at the first of several stop strings', () => {
    const answer = fromBytes(['\n\n', 'END', ''])
    expect(
      feed(answer, new TextEncoder().encode('a\nb END\n\n'))
        .map((piece) => piece.text)
        .join(''),
    ).toBe('a\nb ')
  })
})
