import { describe, expect, it } from 'vitest'
import { cpuClock } from '../../base/testing/cpu-ms.ts'
import { JsonSplitter } from '../requests/json-splitter.ts'
import { validateRequest } from '../requests/validate-request.ts'
import { HeldBytes } from './held-bytes.ts'
import { SseSplitter } from './sse-splitter.ts'

describe('held bytes', () => {
  it('are those that were appended and not dropped, whatever the pieces', () => {
    const held = new HeldBytes()
    let expected: number[] = []
    for (let i = 0; i < 2_000; i++) {
      const piece = Array.from({ length: (i * 7) % 13 }, (_, k) => (i + k) % 256)
      held.append(Uint8Array.from(piece))
      expected.push(...piece)
      if (i % 5 === 0) {
        const count = Math.min(expected.length, (i * 11) % 40)
        held.drop(count)
        expected = expected.slice(count)
      }
      expect(held.length).toBe(expected.length)
    }
    expect([...held.bytes]).toEqual(expected)
  })

  it('leave views alone that were handed out, and do not keep the memory of the sender', () => {
    const held = new HeldBytes()
    const first = Uint8Array.of(1, 2, 3)
    held.append(first)
    first.fill(9)
    const view = held.bytes
    held.drop(2)
    for (let i = 0; i < 100; i++) held.append(Uint8Array.of(i))
    expect([...view]).toEqual([1, 2, 3])
    expect(held.bytes[0]).toBe(3)
  })
})

function cpuMs(act: () => void): number {
  const usedMs = cpuClock()
  act()
  return usedMs()
}

describe('a stranger cannot make reading slow', () => {
  const one = Uint8Array.of(0x61)

  it('with an event that comes byte by byte', () => {
    const splitter = new SseSplitter()
    expect(cpuMs(() => void Array.from({ length: 400_000 }, () => splitter.push(one)))).toBeLessThan(1_000)
  })

  it('with a JSON text that comes byte by byte', () => {
    const splitter = new JsonSplitter()
    splitter.push(Uint8Array.of(0x22))
    const act = (): void => {
      for (let i = 0; i < 400_000; i++) {
        splitter.push(one)
        splitter.next()
      }
    }
    expect(cpuMs(act)).toBeLessThan(1_000)
  })

  it('with a number of ten million digits', () => {
    const body = `{"model":"M","messages":[],"n":${'9'.repeat(10_000_000)}}`
    expect(cpuMs(() => void validateRequest('/v1/chat/completions', body))).toBeLessThan(1_000)
    for (const [text, good] of [
      ['0', false],
      ['-0', false],
      ['00', false],
      ['-3', false],
      ['1', true],
      ['10', true],
    ] as const) {
      const judge = (): unknown => validateRequest('/v1/chat/completions', `{"model":"M","messages":[],"n":${text}}`)
      if (good) expect(judge).not.toThrow()
      else expect(judge).toThrow()
    }
  })
})
