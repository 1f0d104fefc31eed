import { describe, expect, it } from 'vitest'
import { mutate } from './mutate.ts'
import { Random } from './random.ts'
import { readRegressions } from './regressions.ts'
import { type FuzzResult, runFuzz } from './run-fuzz.ts'
import { fuzzTargets } from './targets.ts'

describe('inputs that once broke something', () => {
  const all = fuzzTargets.flatMap((target) => readRegressions(target).map((one, i) => ({ target, i, ...one })))

  it.each(all)('$target.name $i: $found', ({ target, hex }) => {
    const before = process.threadCpuUsage().user
    target.run(new Uint8Array(Buffer.from(hex, 'hex')))
    expect((process.threadCpuUsage().user - before) / 1_000).toBeLessThan(1_000)
  })

  it.each(fuzzTargets)('$name takes its own corpus', (target) => {
    expect(target.corpus.length).toBeGreaterThan(1)
    for (const input of target.corpus) target.run(input)
  })
})

describe('a short search', () => {
  it('finds nothing in what reads strangers', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const names = fuzzTargets.map(({ name }) => name)
    const targets = new URL('./targets.ts', import.meta.url)
    const { findings, inputs } = await runFuzz({ targets, names, seed, seconds: 2 })
    expect({ seed, findings }).toEqual({ seed, findings: [] })
    for (const name of names) expect([name, (inputs[name] ?? 0) >= 16]).toEqual([name, true])
  })
})

describe('the search itself', () => {
  const targets = new URL('./testing/faulty-targets.ts', import.meta.url)
  const search = (
    name: string,
    more: { inputs?: number; seconds?: number; hangMs?: number; heapMb?: number } = {},
  ): Promise<FuzzResult> => runFuzz({ targets, names: [name], seed: 7, seconds: 20, inputs: 2_000, ...more })

  it('finds nothing where nothing is', async () => {
    const { findings, inputs } = await search('sound')
    expect(findings).toEqual([])
    expect(inputs.sound).toBeGreaterThanOrEqual(2_000)
  })

  it('counts nothing that was tried before it began', async () => {
    expect((await search('sound', { seconds: 0 })).inputs).toEqual({})
  })

  it('finds an error that is no refusal, once, with its input', async () => {
    const { findings } = await search('throws')
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ target: 'throws', what: expect.stringContaining('cannot read the first byte') })
    expect(findings[0]?.hex).toMatch(/^ff/)
  })

  it('finds an input that takes more than a second of processor time', async () => {
    const { findings } = await search('slow')
    expect(findings[0]?.what).toMatch(/^took \d{4} ms$/)
  })

  it('finds a hang and ends', async () => {
    const { findings } = await search('hangs', { hangMs: 1_500 })
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({
      target: 'hangs',
      what: expect.stringContaining('hangs'),
      hex: expect.stringMatching(/^ff/),
    })
  })

  it('finds memory that grows', async () => {
    const { findings } = await search('leaks')
    expect(findings[0]?.what).toMatch(/memory grew by \d+ MiB/)
  })

  it('finds an input that uses up all memory', async () => {
    const { findings } = await search('eats', { heapMb: 64 })
    expect(findings[0]).toMatchObject({ target: 'eats', what: 'uses up all memory', hex: expect.stringMatching(/^ff/) })
  })
})

describe('spoiled inputs', () => {
  it('are the same for the same seed, and others for another', () => {
    const corpus = [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), new Uint8Array(40).fill(9)]
    const run = (seed: number): string[] => {
      const random = new Random(seed)
      return Array.from({ length: 200 }, () => Buffer.from(mutate(random, corpus, [Uint8Array.of(7, 7)])).toString('hex'))
    }
    expect(run(5)).toEqual(run(5))
    expect(run(5)).not.toEqual(run(6))
    expect(new Set(run(5)).size).toBeGreaterThan(150)
  })

  it('leave the good ones as they are', () => {
    const good = Uint8Array.of(1, 2, 3, 4)
    const random = new Random(1)
    for (let i = 0; i < 1_000; i++) mutate(random, [good], [])
    expect([...good]).toEqual([1, 2, 3, 4])
  })
})
