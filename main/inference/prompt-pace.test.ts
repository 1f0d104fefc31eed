import { describe, expect, it } from 'vitest'
import { PromptPace } from './prompt-pace.ts'

function paced(pieces: number, tokensPerS: number, batch = 512): PromptPace {
  const pace = new PromptPace(batch)
  for (let piece = 0; piece < pieces; piece++) pace.measured(100, 100_000 / tokensPerS)
  return pace
}

describe('PromptPace', () => {
  it('lets others wait for about 200 ms, and reads longer pieces alone', () => {
    const pace = paced(30, 400)
    expect(pace.tokens(false)).toBe(80)
    expect(pace.tokens(true)).toBe(400)
  })
  it('never cuts into pieces that cost too much, nor longer than a batch', () => {
    expect([paced(30, 10).tokens(false), paced(30, 10).tokens(true)]).toEqual([32, 64])
    expect([paced(30, 50_000).tokens(false), paced(30, 50_000).tokens(true)]).toEqual([512, 512])
    expect(paced(30, 10, 16).tokens(true)).toBe(64)
  })
  it('is not led far astray by one odd piece', () => {
    const pace = paced(30, 400)
    pace.measured(100, 0)
    expect(pace.tokens(false)).toBe(160)
    pace.measured(100, 60_000)
    expect(pace.tokens(false)).toBeGreaterThan(70)
  })
})
