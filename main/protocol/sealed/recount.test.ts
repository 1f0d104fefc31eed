import { describe, expect, it } from 'vitest'
import { adjustUsage } from '../accounting/adjusted-tokens.ts'
import type { TlObject } from '../tl/types.ts'
import { judgeSealedUsage, TextCount } from './recount.ts'

const encoder = new TextEncoder()
const event = (content: string, field = 'content'): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { [field]: content } }] })}\n\n`
function countOf(text: string, cut = 1_000_000): ReturnType<TextCount['finish']> {
  const count = new TextCount()
  const bytes = encoder.encode(text)
  for (let at = 0; at < bytes.length; at += cut) count.push(bytes.slice(at, at + cut))
  return count.finish(null)
}

describe('the recount of an answer', () => {
  it.each([1, 10, 1_000_000])('counts events with text and bytes of text, in pieces of %s bytes', (cut) => {
    const stream = `${event('Hello')}: comment\n\n${event(' мир')}${event('', 'content')}${event('thought', 'reasoning_content')}data: {"choices":[],"usage":{}}\n\ndata: [DONE]\n\n`
    expect(countOf(stream, cut)).toEqual({
      ...{ textEvents: 3, textBytes: 5 + 7 + 7, brokenTokens: 0, expectedTokens: 5, toleratedTokens: 39, billedTokens: null },
    })
  })

  it('reads one document, and plain completions', () => {
    const document = JSON.stringify({
      choices: [{ message: { role: 'assistant', content: 'x'.repeat(400) } }, { text: 'y'.repeat(40) }],
    })
    expect(countOf(document)).toMatchObject({ textEvents: 0, textBytes: 440, expectedTokens: 110, toleratedTokens: 197 })
  })

  it('takes each letter of broken text for as many tokens as it may have been', () => {
    expect(countOf(event('\ufffd\ufffd'))).toMatchObject({ textBytes: 6, expectedTokens: 8 })
  })

  it.each([
    ['nothing', ''],
    ['what is no JSON', 'data: {oops\n\ndata: 5\n\n'],
    ['an event without end', `data: {"choices":[{"delta":{"content":"${'x'.repeat(2_000_000)}`],
    ['choices that are none', 'data: {"choices":[1,null,{"delta":"x"},{"delta":{"content":7}}]}\n\n'],
  ])('throws for none of what a stranger sends: %s', (_name, text) => {
    expect(countOf(text).toleratedTokens).toBe(32)
  })
})

describe('the bill of a sealed answer', () => {
  const multipliers = { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 }
  const asked = { queryBytes: 300, maxCoefficient: 1_000, multipliers }
  const counts = { promptTokens: 50, cachedTokens: 10, completionTokens: 20, reasoningTokens: 5 }
  const tokens = adjustUsage(counts, 1_000, multipliers)
  const end = (change: Partial<TlObject<'sealed.end'>> = {}, total = tokens.total): TlObject<'sealed.end'> => ({
    '@type': 'sealed.end',
    prompt_tokens: 50n,
    cached_tokens: 10n,
    completion_tokens: 20n,
    reasoning_tokens: 5n,
    coefficient: 1_000,
    tokens_used: {
      '@type': 'tokensUsed',
      prompt_tokens_used: tokens.prompt,
      cached_tokens_used: tokens.cached,
      completion_tokens_used: tokens.completion,
      reasoning_tokens_used: tokens.reasoning,
      total_tokens_used: total,
    },
    ...change,
  })
  const text = (): TextCount => {
    const count = new TextCount()
    for (let i = 0; i < 20; i++) count.push(encoder.encode(event('word')))
    return count
  }
  const deviations = (stated: bigint, said: TlObject<'sealed.end'>): readonly string[] =>
    judgeSealedUsage({ ...tokens, total: stated }, said, text(), asked).deviations

  it('that adds up has no deviation, nor has one that the proxy lowered', () => {
    expect(deviations(tokens.total, end())).toEqual([])
    expect(deviations(tokens.total - 5n, end())).toEqual([])
  })

  it('of an answer that is not paid for has none', () => {
    const nothing = end({ prompt_tokens: 0n, cached_tokens: 0n, completion_tokens: 0n, reasoning_tokens: 0n }, 0n)
    expect(deviations(0n, nothing)).toEqual([])
  })

  it.each<[string, bigint, TlObject<'sealed.end'>]>([
    ['stated-above-worker', tokens.total + 1n, end()],
    ['adjusted-wrongly', tokens.total, end({}, tokens.total + 1n)],
    ['adjusted-wrongly', 0n, end({ completion_tokens: 21n })],
    ['coefficient-above-limit', 0n, end({ coefficient: 1_001 })],
    ['completion-beyond-tolerance', 0n, end({ completion_tokens: 63n })],
    ['prompt-beyond-tolerance', 0n, end({ prompt_tokens: 1_325n })],
    // Parts of the whole that are stated as more than it are paid for all the same.
    ['completion-beyond-tolerance', 0n, end({ reasoning_tokens: 63n })],
    ['prompt-beyond-tolerance', 0n, end({ cached_tokens: 1_325n })],
  ])('shows %s', (name, stated, said) => {
    expect(deviations(stated, said)).toContain(name)
  })

  it('just within the tolerance is no deviation of that kind', () => {
    expect(deviations(0n, end({ completion_tokens: 62n }))).not.toContain('completion-beyond-tolerance')
    expect(deviations(0n, end({ prompt_tokens: 1_324n }))).not.toContain('prompt-beyond-tolerance')
    expect(deviations(0n, end({ reasoning_tokens: 62n }))).not.toContain('completion-beyond-tolerance')
    expect(deviations(0n, end({ cached_tokens: 1_324n }))).not.toContain('prompt-beyond-tolerance')
  })
})
