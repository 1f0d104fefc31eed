import { describe, expect, it } from 'vitest'
import type { Conversation, Turn } from '../../../preload/api/chat.ts'
import { reduceConversation } from './conversation-state.ts'

const turn = (id: string, answer = ''): Turn => ({
  id,
  question: 'Why?',
  answer,
  status: 'streaming',
  level: 'computer',
  model: 'small',
  createdAtMs: 1,
})
const summary = { id: 'c', title: 'Chat', level: 'computer', widestLevel: 'computer', pinned: false, updatedAtMs: 1 } as const
const conversation: Conversation = { ...summary, turns: [turn('a', 'Be')] }
const start = reduceConversation(undefined, { type: 'snapshot', conversation })

describe('a conversation', () => {
  it('appends text to its turn only', () => {
    const both = reduceConversation(start, { type: 'turn', turn: turn('b') })
    const next = reduceConversation(both, { type: 'delta', turnId: 'a', text: 'cause' })
    expect(next.conversation?.turns.map(({ answer }) => answer)).toEqual(['Because', ''])
  })

  it('replaces a known turn in its place and appends a new one', () => {
    const two = reduceConversation(start, { type: 'turn', turn: turn('b') })
    const changed = reduceConversation(two, { type: 'turn', turn: { ...turn('a', 'Because'), status: 'done' } })
    expect(changed.conversation?.turns.map(({ id, status }) => [id, status])).toEqual([
      ['a', 'done'],
      ['b', 'streaming'],
    ])
  })

  it('takes a new title without losing turns, and starts over with a snapshot', () => {
    const named = reduceConversation(start, { type: 'summary', summary: { ...summary, title: 'Because' } })
    expect(named.conversation).toMatchObject({ title: 'Because', turns: [{ id: 'a' }] })
    expect(reduceConversation(named, { type: 'snapshot', conversation }).conversation?.title).toBe('Chat')
  })

  it('is known as deleted, and drops text that comes before a snapshot', () => {
    expect(reduceConversation(start, { type: 'deleted' }).deleted).toBe(true)
    expect(reduceConversation(undefined, { type: 'delta', turnId: 'a', text: 'x' }).conversation).toBeUndefined()
  })
})
