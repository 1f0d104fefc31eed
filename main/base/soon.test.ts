import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Soon } from './soon.ts'

describe('work that may wait', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('runs once for many asks, within the delay of the first', () => {
    let runs = 0
    const soon = new Soon(
      100,
      () => runs++,
      () => undefined,
    )
    soon.ask()
    vi.advanceTimersByTime(60)
    soon.ask()
    expect(runs).toBe(0)
    vi.advanceTimersByTime(40)
    expect(runs).toBe(1)
    vi.advanceTimersByTime(1000)
    expect(runs).toBe(1)
  })

  it('runs at once when nobody can wait, and not again', () => {
    let runs = 0
    const soon = new Soon(
      100,
      () => runs++,
      () => undefined,
    )
    soon.now()
    expect(runs).toBe(0)
    soon.ask()
    soon.now()
    expect(runs).toBe(1)
    vi.advanceTimersByTime(1000)
    expect(runs).toBe(1)
  })

  it('tells of a failure, and throws it to who calls', () => {
    const told: unknown[] = []
    const soon = new Soon(
      100,
      () => {
        throw new Error('full')
      },
      (thrown) => told.push(thrown),
    )
    soon.ask()
    vi.advanceTimersByTime(100)
    expect(told).toHaveLength(1)
    soon.ask()
    expect(() => soon.now()).toThrow('full')
  })
})
