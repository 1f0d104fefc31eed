import { expect, it } from 'vitest'
import { draftOf, draftSent, keepDraft } from './drafts.ts'

it('a text that was sent leaves its field, and one that was typed while it was on its way stays', () => {
  keepDraft('a', 'one')
  draftSent('a', 'one')
  expect(draftOf('a')).toBe('')
  keepDraft('a', 'one')
  keepDraft('a', 'two')
  keepDraft('b', 'one')
  draftSent('a', 'one')
  expect([draftOf('a'), draftOf('b')]).toEqual(['two', 'one'])
})
