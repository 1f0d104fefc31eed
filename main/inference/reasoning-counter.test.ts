import { describe, expect, it } from 'vitest'
import { ReasoningCounter } from './reasoning-counter.ts'

const marks = { open: '<think>', close: '</think>' }
function count(counter: ReasoningCounter, texts: string[]): number {
  for (const text of texts) counter.push(text)
  return counter.tokens
}

describe('ReasoningCounter', () => {
  it('counts from the opening to the closing mark', () => {
    expect(count(new ReasoningCounter(marks, 'assistant\n'), ['<think>', '\n', 'hm', '</think>', 'Yes', '.'])).toBe(4)
  })
  it('knows a thought that the template opened', () => {
    expect(count(new ReasoningCounter(marks, 'assistant\n<think>\n'), ['hm', ' ', '</', 'think', '>', 'Yes'])).toBe(5)
  })
  it('counts nothing for a model without thoughts', () => {
    expect(count(new ReasoningCounter(undefined, '<think>'), ['<think>', 'x'])).toBe(0)
    expect(count(new ReasoningCounter(marks, 'assistant\n'), ['Yes', ' indeed'])).toBe(0)
  })
})
