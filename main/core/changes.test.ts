import { describe, expect, it } from 'vitest'
import { changes } from './changes.ts'

describe('changes', () => {
  it('gives the first value and then only what differs, money included', async () => {
    const values = [
      { money: 1n, atMs: 1 },
      { money: 1n, atMs: 2 },
      { money: 2n, atMs: 3 },
    ]
    const control = new AbortController()
    const seen: unknown[] = []
    let reads = 0
    const read = () => values[Math.min(reads++, 2)] ?? { money: 0n, atMs: 0 }
    for await (const value of changes(read, control.signal, { intervalMs: 1, seen: ({ money }) => money })) {
      seen.push(value)
      if (value.money === 2n) control.abort()
    }
    expect(seen).toEqual([values[0], values[2]])
  })

  it('reads no more after the abort', async () => {
    const control = new AbortController()
    let reads = 0
    for await (const _ of changes(() => ++reads, control.signal, { intervalMs: 60_000 })) control.abort()
    expect(reads).toBe(1)
  })
})
