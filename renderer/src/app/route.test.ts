import { describe, expect, it } from 'vitest'
import { parseRoute, pathTo } from './route.ts'

describe('routes', () => {
  it('read back what was written', () => {
    expect(parseRoute(pathTo('earn'))).toEqual({ screen: 'earn', part: undefined })
    expect(parseRoute(pathTo('chat', 'abc_-1'))).toEqual({ screen: 'chat', part: 'abc_-1' })
    expect(parseRoute(pathTo('chat'))).toEqual({ screen: 'chat', part: undefined })
    expect(pathTo('chat')).toBe('#/chat/new')
  })

  it('fall back to a new chat for anything unknown', () => {
    for (const hash of ['', '#', '#/nowhere', '#//', '#/chat/../x', '#/chat/a b']) {
      expect(parseRoute(hash)).toEqual({ screen: 'chat', part: undefined })
    }
  })
})
