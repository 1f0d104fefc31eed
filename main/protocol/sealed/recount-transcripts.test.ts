import { describe, expect, it } from 'vitest'
import { TextCount } from './recount.ts'

const countOf = (...chunks: readonly string[]): number => {
  const count = new TextCount()
  for (const chunk of chunks) count.push(Buffer.from(chunk))
  return count.finish(null).expectedTokens
}

describe('the words of a transcription', () => {
  it('count as the text of any answer, a document cut anywhere', () => {
    const words = 'word '.repeat(400)
    expect(countOf(JSON.stringify({ text: words }).slice(0, 50), JSON.stringify({ text: words }).slice(50))).toBe(500)
  })

  it('count once in a stream, though its last event repeats them', () => {
    const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
    const deltas = ['Good', ' day', ' all'].map((delta) => event({ type: 'transcript.text.delta', delta }))
    expect(countOf(...deltas, event({ type: 'transcript.text.done', text: 'Good day all' }))).toBe(3)
  })

  it('are none in other objects', () => {
    expect(countOf('{"text":5}')).toBe(0)
    expect(countOf('{"type":"error","text":"many words that nobody generated"}')).toBe(0)
    expect(countOf('1\n00:00 --> 00:01\nsubtitles')).toBe(0)
  })
})
