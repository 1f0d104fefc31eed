import { describe, expect, it } from 'vitest'
import { matchAt, recentFirst, withRecent } from './palette-match.ts'

describe('the palette', () => {
  it('finds anywhere in a word, whatever the case', () => {
    expect(matchAt('Pause earning', 'EARN')).toBe(6)
    expect(matchAt('Открыть кошелёк', 'Кош')).toBe(8)
    expect(matchAt('Pause earning', 'wallet')).toBeNull()
    expect(matchAt('Pause earning', '  ')).toBe(0)
  })

  it('puts the last five used first, newest first, and forgets none of the others', () => {
    const commands = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id) => ({ id }))
    const recent = ['a', 'b', 'c', 'd', 'e', 'f', 'c'].reduce<string[]>(withRecent, [])
    expect(recent).toEqual(['c', 'f', 'e', 'd', 'b'])
    expect(recentFirst(commands, recent).map(({ id }) => id)).toEqual(['c', 'f', 'e', 'd', 'b', 'a', 'g'])
    expect(recentFirst(commands, ['gone']).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  })
})
