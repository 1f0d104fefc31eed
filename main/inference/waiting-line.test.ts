import { describe, expect, it } from 'vitest'
import { WaitingLine } from './waiting-line.ts'

describe('WaitingLine', () => {
  it('takes lanes in turn and each lane in order', () => {
    const line = new WaitingLine<string>()
    for (const item of ['s1', 's2', 's3']) line.add('served', item)
    line.add('own', 'o1')
    line.add('own', 'o2')
    expect(line.size).toBe(5)
    expect([1, 2, 3, 4, 5, 6].map(() => line.next())).toEqual(['s1', 'o1', 's2', 'o2', 's3', undefined])
  })
  it('forgets who left', () => {
    const line = new WaitingLine<string>()
    line.add('own', 'a')
    line.add('own', 'b')
    expect(line.remove('a')).toBe(true)
    expect(line.remove('a')).toBe(false)
    expect(line.next()).toBe('b')
    expect(line.size).toBe(0)
  })
})
