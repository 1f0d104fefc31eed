import { describe, expect, it } from 'vitest'
import { WaitingLine } from './waiting-line.ts'

describe('WaitingLine', () => {
  it('takes the first lane before all others, those in turn, and each lane in order', () => {
    const line = new WaitingLine<string>('own')
    for (const item of ['s1', 's2', 's3']) line.add('served', item)
    for (const item of ['a1', 'a2']) line.add('app', item)
    line.add('own', 'o1')
    line.add('own', 'o2')
    expect(line.size).toBe(7)
    const order = Array.from({ length: 8 }, () => line.next())
    expect(order).toEqual(['o1', 'o2', 's1', 'a1', 's2', 'a2', 's3', undefined])
  })
  it('gives nothing but the first lane when asked so', () => {
    const line = new WaitingLine<string>('own')
    line.add('served', 's')
    expect(line.next(true)).toBeUndefined()
    line.add('own', 'o')
    expect([line.next(true), line.next(true), line.next()]).toEqual(['o', undefined, 's'])
  })
  it('forgets who left', () => {
    const line = new WaitingLine<string>('own')
    line.add('own', 'a')
    line.add('own', 'b')
    expect(line.remove('a')).toBe(true)
    expect(line.remove('a')).toBe(false)
    expect(line.next()).toBe('b')
    expect(line.size).toBe(0)
  })
})
