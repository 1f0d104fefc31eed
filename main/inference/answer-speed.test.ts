import { describe, expect, it } from 'vitest'
import { AnswerSpeed } from './answer-speed.ts'
import type { EngineEvent } from './engine.ts'

const word = (tokens: number): EngineEvent => ({ type: 'text', text: 'word', tokens })
const thought = (tokens: number): EngineEvent => ({ type: 'reasoning', text: 'hm', tokens })
const done = (completionTokens: number): EngineEvent => ({
  type: 'done',
  reason: 'stop',
  usage: { promptTokens: 5, cachedTokens: 0, completionTokens, reasoningTokens: 0 },
})

/** What the events tell, a second after each other, and beside which nothing else was unless told. */
function speedOf(events: readonly (readonly [event: EngineEvent, isAlone?: boolean])[]): (number | undefined)[] {
  let seconds = 0
  const speed = new AnswerSpeed(() => 1_000 * seconds++)
  return events.map(([event, isAlone = true]) => speed.take(event, isAlone))
}

describe('the speed of an answer', () => {
  it('is of the tokens after its first words, by the time since then', () => {
    expect(speedOf([[word(2)], [word(9)], [done(32)]])).toEqual([undefined, undefined, 30])
  })

  it('counts thoughts with their time', () => {
    expect(speedOf([[thought(1)], [word(20)], [done(41)]]).at(-1)).toBe(40)
  })

  it('is not told of few tokens, of none, and of answers that shared the machine', () => {
    expect(speedOf([[word(2)], [done(15)]]).at(-1)).toBeUndefined()
    expect(speedOf([[done(20)]]).at(-1)).toBeUndefined()
    // A call of a tool comes as a whole, at its end: nothing was seen of the time that it took.
    const call: EngineEvent = { type: 'tool-call', call: { id: 'c', name: 'f', arguments: '{}' }, tokens: 39 }
    expect(speedOf([[call], [done(40)]]).at(-1)).toBeUndefined()
    expect(speedOf([[word(2)], [word(9), false], [done(32)]]).at(-1)).toBeUndefined()
  })
})
