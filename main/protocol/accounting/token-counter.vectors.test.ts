import { describe, expect, it } from 'vitest'
import { readVectors } from '../testing/vector-cases.ts'
import { notRun, ran } from '../testing/vector-runs.ts'
import { adjustTokens, adjustUsage, reservedTokens } from './adjusted-tokens.ts'
import { JsonStreamCounter } from './json-stream-counter.ts'
import { SseCounter } from './sse-counter.ts'
import { UsageMeter } from './usage-meter.ts'

interface Used {
  readonly prompt: number
  readonly cached: number
  readonly completion: number
  readonly reasoning: number
  readonly total: number
}
interface Case {
  readonly case: string
  readonly coefficient: number
  readonly prompt_mult: number
  readonly cached_mult: number
  readonly completion_mult: number
  readonly reasoning_mult: number
  readonly price_per_token: number
  readonly steps: ReadonlyArray<{ readonly in: string; readonly out: string; readonly usage_after: Used }>
  readonly finalize: string
  readonly usage: Used
}

const file = 'accounting/token_counter'
const adjusted = 'adjust_tokens_n_coefficient_multiplier_result'
const golden = readVectors<{
  [adjusted]: [number, number, number, number][]
  counter: Case[]
}>(file)

const meterOf = (one: Case): UsageMeter =>
  new UsageMeter({
    coefficient: one.coefficient,
    pricePerToken: BigInt(one.price_per_token),
    multipliers: {
      prompt: one.prompt_mult,
      cached: one.cached_mult,
      completion: one.completion_mult,
      reasoning: one.reasoning_mult,
    },
  })
const used = (meter: UsageMeter): Used => {
  const { prompt, cached, completion, reasoning, total } = meter.adjusted
  return {
    prompt: Number(prompt),
    cached: Number(cached),
    completion: Number(completion),
    reasoning: Number(reasoning),
    total: Number(total),
  }
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

describe('adjusted tokens against the golden data', () => {
  it('agrees in every recorded case', () => {
    for (const [i, [n, coefficient, multiplier, result]] of golden[adjusted].entries()) {
      expect([i, adjustTokens(n, coefficient, multiplier)]).toEqual([i, BigInt(result)])
      ran(file, `${adjusted} ${i}`)
    }
  })

  it('gives the example of the economics page and never a negative class', () => {
    const multipliers = { prompt: 10000, cached: 1000, completion: 80000, reasoning: 80000 }
    const usage = { promptTokens: 1200, cachedTokens: 200, completionTokens: 500, reasoningTokens: 120 }
    expect(adjustUsage(usage, 1000, multipliers).total).toBe(5020n)
    expect(adjustUsage(usage, 1500, multipliers).total).toBe(7530n)
    expect(adjustUsage({ ...usage, cachedTokens: 2000 }, 1000, multipliers).prompt).toBe(0n)
    expect(reservedTokens(1000, 1500, 4000)).toBe(10_000n)
  })
})

describe('token counter against the golden data', () => {
  it.each(golden.counter.map((one, i) => ({ ...one, i })))('$case, coefficient $coefficient', (one) => {
    const meter = meterOf(one)
    const counter = new JsonStreamCounter(meter)
    for (const step of one.steps) {
      expect(text(counter.push(bytes(step.in)))).toBe(step.out)
      expect(used(meter)).toEqual(step.usage_after)
    }
    expect(text(counter.finish())).toBe(one.finalize)
    expect(used(meter)).toEqual(one.usage)
    ran(file, `counter ${one.i}`)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))

  it('gives the same for every split of the bytes', () => {
    const one = golden.counter[0]
    if (one === undefined) throw new Error('no case')
    const input = bytes(one.steps.map((step) => step.in).join(''))
    const expected = one.steps.map((step) => step.out).join('')
    for (let cut = 0; cut <= input.length; cut++) {
      const counter = new JsonStreamCounter(meterOf(one))
      expect(text(counter.push(input.slice(0, cut))) + text(counter.push(input.slice(cut)))).toBe(expected)
    }
  })

  it('does not hold back without bound what is no JSON', () => {
    const one = golden.counter[0]
    if (one === undefined) throw new Error('no case')
    const counter = new JsonStreamCounter(meterOf(one))
    const junk = new Uint8Array(700_000).fill(0x7d)
    expect(counter.push(junk)).toHaveLength(0)
    expect(counter.push(junk)).toHaveLength(1_400_000)
    expect(counter.finish()).toHaveLength(0)
  })

  it('does not hold back without bound a value that does not end', () => {
    const one = golden.counter[0]
    if (one === undefined) throw new Error('no case')
    const counter = new JsonStreamCounter(meterOf(one))
    let passed = counter.push(bytes('{"a":"')).length
    for (let at = 0; at < 40; at++) passed += counter.push(new Uint8Array(1 << 20).fill(0x78)).length
    expect(passed).toBeGreaterThan(32 << 20)
    passed += counter.finish().length
    expect(passed).toBe((40 << 20) + 6)
  })
})

describe('server-sent events', () => {
  const stream = [
    ': hello\n\n',
    'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
    'data: {"choices":[{"delta":{"content":"Grüße 😊"}}]}\r\n\r\n',
    'data: {"choices":[{"delta":{"content":"\\n"}}]}\n\n',
    'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":4}}\n\n',
    'data: [DONE]\n\n',
  ]
  const tariff = {
    coefficient: 1000,
    pricePerToken: 20n,
    multipliers: { prompt: 10000, cached: 1000, completion: 80000, reasoning: 80000 },
  }
  const expected = [
    ...stream.slice(0, 4),
    'data: {"choices":[],"usage":{"completion_tokens":4,"completion_total_cost":640,"prompt_tokens":11,"prompt_total_cost":220,"total_cost":860}}\n\n',
    'data: [DONE]\n\n',
  ]

  it('are counted and passed on one by one, split at every byte boundary', () => {
    const input = bytes(stream.join(''))
    for (let cut = 0; cut <= input.length; cut++) {
      const meter = new UsageMeter(tariff)
      const counter = new SseCounter(meter)
      const events = [...counter.push(input.slice(0, cut)), ...counter.push(input.slice(cut))].map(text)
      expect(events).toEqual(expected)
      expect(counter.finish()).toHaveLength(0)
      expect(meter.adjusted.total).toBe(43n)
      expect(counter.textEvents).toBe(2)
    }
  })

  it('are the same byte by byte', () => {
    const counter = new SseCounter(new UsageMeter(tariff))
    const events = [...bytes(stream.join(''))].flatMap((byte) => counter.push(Uint8Array.of(byte)))
    expect(events.map(text)).toEqual(expected)
  })

  it('count a last event without its empty line', () => {
    const meter = new UsageMeter(tariff)
    const counter = new SseCounter(meter)
    expect(counter.push(bytes('data: {"usage":{"prompt_tokens":1,"completion_tokens":1}}'))).toEqual([])
    expect(text(counter.finish())).toContain('"total_cost":180')
    expect(meter.adjusted.total).toBe(9n)
  })

  it('refuse an event that never ends', () => {
    const counter = new SseCounter(new UsageMeter(tariff))
    expect(() => counter.push(new Uint8Array(2 << 20).fill(0x61))).toThrow('too long')
  })
})
