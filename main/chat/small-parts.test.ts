import { describe, expect, it, vi } from 'vitest'
import { exactTon } from '../base/exact-ton.ts'
import { Signal } from '../base/signal.ts'
import type { Engine, EngineEvent, EngineState } from '../inference/engine.ts'
import { computerBackend } from './computer-backend.ts'
import { exportMarkdown } from './export-markdown.ts'
import { isWider, levelsByWidth, widest } from './privacy/levels.ts'
import { titleFrom } from './title.ts'
import { unknownMoney } from './turn-errors.ts'

describe('titleFrom', () => {
  it.each([
    ['  What is\n silk? ', 'What is silk?'],
    ['a'.repeat(48), 'a'.repeat(48)],
    ['a'.repeat(49), `${'a'.repeat(47)}…`],
    [`${'word '.repeat(20)}`, `${'word '.repeat(9).trim()}…`],
    [`${'a'.repeat(47)} b`, `${'a'.repeat(47)}…`],
    ['👩‍👩‍👧'.repeat(60), `${'👩‍👩‍👧'.repeat(47)}…`],
  ])('%j becomes %j', (question, title) => expect(titleFrom(question)).toBe(title))
})

describe('privacy', () => {
  it('knows which level is wider', () => {
    expect(levelsByWidth).toEqual(['computer', 'practice', 'devices', 'attested', 'external', 'open'])
    expect(widest('practice', 'computer')).toBe('practice')
    expect(widest('computer', 'computer')).toBe('computer')
    expect(isWider('computer', 'practice')).toBe(true)
    expect(isWider('practice', 'practice')).toBe(false)
  })
})

describe('exactTon', () => {
  it.each([
    [0n, '0'],
    [1n, '0.000000001'],
    [170_000_000n, '0.17'],
    [12_000_000_000n, '12'],
    [100_500_000_000n, '100.5'],
    [-5n, '\u22120.000000005'],
  ])('%s is %s TON', (nano, text) => expect(exactTon(nano)).toBe(`${text}\u00a0TON`))
})

describe('exportMarkdown', () => {
  it('names the file after the title, safely, and each answer its level and cost', () => {
    const common = { id: 'a', question: 'q', createdAtMs: 0, model: 'm' }
    const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 2, reasoningTokens: 0, cost: 5n }
    const { fileName, markdown } = exportMarkdown({
      id: 'c',
      title: '../../Привет: "мир"/?',
      level: 'computer',
      widestLevel: 'practice',
      pinned: false,
      updatedAtMs: 0,
      turns: [{ ...common, answer: 'r', status: 'done', level: 'practice', usage }],
    })
    expect(fileName).toBe('Привет-мир.md')
    expect(markdown).toContain('_Practice network, all roles on this computer · m · 2 tokens · 0.000000005\u00a0TON_')
  })
})

describe('computerBackend', () => {
  const engine = (events: EngineEvent[]): Engine & { state: Signal<EngineState> } => ({
    state: new Signal<EngineState>({ status: 'no-model' }),
    async *chat() {
      yield* events
    },
    complete: () => {
      throw new Error('not for chats')
    },
  })

  it('passes text and usage on', async () => {
    const usage = { promptTokens: 3, cachedTokens: 0, completionTokens: 1, reasoningTokens: 0 }
    const backend = computerBackend(
      engine([
        { type: 'text', text: 'hi', tokens: 1 },
        { type: 'done', reason: 'cancelled', usage },
      ]),
    )
    const events: unknown[] = []
    const gate = async () => ({ level: 'computer' as const, connection: '1' })
    for await (const event of backend.answer([], new AbortController().signal, gate, 'a chat')) events.push(event)
    expect(events).toEqual([
      { type: 'text', text: 'hi' },
      { type: 'final', reason: 'cancelled', stop: 'ended', usage },
    ])
  })

  it('tells the state of the engine in words', () => {
    const real = engine([])
    const backend = computerBackend(real)
    expect(backend.state.value).toMatchObject({ state: 'unavailable' })
    const seen = vi.fn()
    backend.state.onChange(seen)
    real.state.set({ status: 'loading', model: 'SmolLM2', progress: 0.456 })
    expect(seen).toHaveBeenLastCalledWith({
      level: 'computer',
      state: 'starting',
      model: 'SmolLM2',
      reason: 'Loading SmolLM2, 45%',
      reasonWords: { code: 'model-loading', values: { model: 'SmolLM2', percent: 45 } },
    })
    real.state.set({ status: 'ready', model: 'SmolLM2', contextTokens: 100, backend: 'cpu' })
    expect(backend.state.value).toEqual({ level: 'computer', state: 'ready', model: 'SmolLM2' })
    real.state.set({ status: 'restarting', reason: 'it was killed' })
    expect(backend.state.value).toMatchObject({ state: 'starting' })
    real.state.set({ status: 'failed', reason: 'The file is broken.', words: { code: 'model-load-failed' } })
    expect(backend.state.value).toEqual({
      level: 'computer',
      state: 'unavailable',
      reason: 'The file is broken.',
      reasonWords: { code: 'model-load-failed' },
    })
  })
})

it.each([
  ['computer', 'paid-nothing'],
  ['devices', 'paid-nothing'],
  ['practice', 'may-be-charged'],
] as const)('a failure at the level %s, of which nobody told the money, says %s', (level, code) => {
  expect(unknownMoney(level).words).toEqual({ code })
})
