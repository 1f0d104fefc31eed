import { describe, expect, it } from 'vitest'
import { AnswerEvents } from './answer-events.ts'
import type { EngineEvent } from './engine.ts'
import type { CallForms } from './tool-calls.ts'

const thoughts = { open: '<think>', close: '</think>' }
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const calls: CallForms = {
  forms: [{ name: 'weather', head: '<tool_call>\n{"name": "weather", "arguments": ', tail: '}\n</tool_call>', parameters }],
  trigger: '<tool_call>',
  isRequired: false,
}
const callText = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'

/** Tokens are pieces of text here. */
function events(
  pieces: readonly string[],
  options: Partial<ConstructorParameters<typeof AnswerEvents<string>>[0]>,
  isWhole = true,
): EngineEvent[] {
  const answer = new AnswerEvents<string>({
    detokenize: (tokens) => tokens.join(''),
    stops: [],
    promptEnd: [],
    promptEndText: '',
    thoughts: undefined,
    calls: undefined,
    reasoning: 'inline',
    ...options,
  })
  return [...pieces.flatMap((piece) => answer.push(piece)), ...answer.end(isWhole)]
}

function joined(all: readonly EngineEvent[], type: 'text' | 'reasoning'): string {
  return all.map((event) => (event.type === type && 'text' in event ? event.text : '')).join('')
}

/** The same text cut at every place, and letter by letter. */
function cuts(text: string): string[][] {
  return [...Array.from(text, (_, at) => [text.slice(0, at), text.slice(at)].filter((piece) => piece !== '')), [...text]]
}

describe('AnswerEvents', () => {
  it('splits thoughts from the answer wherever the text is cut', () => {
    for (const pieces of cuts('<think>\nWhat is a < b?\n</think>\n\nIt is <b>so</b>.')) {
      const all = events(pieces, { thoughts, reasoning: 'split' })
      expect(joined(all, 'reasoning').trimEnd()).toBe('What is a < b?')
      expect(joined(all, 'text')).toBe('It is <b>so</b>.')
      const tokens = all.reduce((sum, event) => sum + ('tokens' in event ? event.tokens : 0), 0)
      expect(tokens).toBe(pieces.length)
    }
  })

  it('knows that the template has opened the thought, and leaves marks alone when not asked to split', () => {
    const all = events(['so', '</think>', 'yes'], { thoughts, reasoning: 'split', promptEndText: 'assistant\n<think>\n' })
    expect([joined(all, 'reasoning'), joined(all, 'text')]).toEqual(['so', 'yes'])
    expect(joined(events(['<think>', 'so', '</think>', 'yes'], { thoughts }), 'text')).toBe('<think>so</think>yes')
    expect(joined(events(['<think>so</think>yes'], { thoughts, calls }), 'text')).toBe('<think>so</think>yes')
  })

  it('takes a call out of the text wherever it is cut', () => {
    for (const pieces of cuts(`I look.\n${callText}`)) {
      const all = events(pieces, { calls })
      expect(joined(all, 'text').trimEnd()).toBe('I look.')
      expect(all.at(-1)).toMatchObject({ type: 'tool-call', call: { name: 'weather', arguments: '{"city": "Rome"}' } })
    }
  })

  it('takes no call out of a thought, nor text that only begins like one', () => {
    const inThought = events([`<think>${callText}</think>`, 'no'], { calls, thoughts, reasoning: 'split' })
    expect(inThought.some(({ type }) => type === 'tool-call')).toBe(false)
    expect(joined(inThought, 'text')).toBe('no')
    expect(joined(events(['a <tool', ' b'], { calls }), 'text')).toBe('a <tool b')
    expect(joined(events(['a <tool'], { calls }), 'text')).toBe('a <tool')
  })

  it('tells nothing of a call that a limit cut', () => {
    const cut = callText.slice(0, 60)
    expect(events([cut], { calls }, false)).toEqual([])
    expect(joined(events([cut], { calls }, true), 'text')).toBe(cut)
  })

  it('gives log probabilities with the text of their tokens', () => {
    const answer = new AnswerEvents<string>({
      detokenize: (tokens) => tokens.join(''),
      ...{ stops: ['END'], promptEnd: [], promptEndText: '', thoughts: undefined, calls: undefined, reasoning: undefined },
    })
    const of = (text: string) => ({ text, bytes: null, logprob: -1, top: [] })
    expect(answer.push('E', of('E'))).toEqual([])
    expect(answer.push('x', of('x'))).toEqual([{ type: 'text', text: 'Ex', tokens: 2, logprobs: [of('E'), of('x')] }])
  })
})
