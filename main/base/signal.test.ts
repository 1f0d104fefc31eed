import { describe, expect, it } from 'vitest'
import { Feed } from './feed.ts'
import { Signal } from './signal.ts'

describe('Signal', () => {
  it('gives the present value first and lets a slow reader skip to the newest', async () => {
    const signal = new Signal(1)
    const control = new AbortController()
    const seen: number[] = []
    for await (const value of signal.values(control.signal)) {
      seen.push(value)
      if (value === 1) {
        signal.set(2)
        signal.set(3)
      } else control.abort()
    }
    expect(seen).toEqual([1, 3])
  })

  it('wakes a waiting reader and ends on abort', async () => {
    const signal = new Signal('a')
    const control = new AbortController()
    const reader = signal.values(control.signal)[Symbol.asyncIterator]()
    expect((await reader.next()).value).toBe('a')
    const next = reader.next()
    signal.set('b')
    expect((await next).value).toBe('b')
    const last = reader.next()
    control.abort()
    expect((await last).done).toBe(true)
  })

  it('does not tell of a value that is the same', () => {
    const signal = new Signal(1)
    let told = 0
    signal.onChange(() => told++)
    signal.set(1)
    signal.set(2)
    expect(told).toBe(1)
  })
})

describe('Feed', () => {
  it('delivers every event in order, also those before the first read', async () => {
    const feed = new Feed<number>()
    const control = new AbortController()
    const events = feed.events(control.signal)
    for (let i = 0; i < 5; i++) feed.emit(i)
    const seen: number[] = []
    for await (const event of events) {
      seen.push(event)
      if (event === 2) feed.emit(5)
      if (event === 5) control.abort()
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5])
  })
})
