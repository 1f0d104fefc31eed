import { describe, expect, it } from 'vitest'
import type { ConversationSummary } from '../../../preload/api/chat.ts'
import { groupChats } from './list-groups.ts'

const now = new Date(2026, 10, 22, 12).getTime()
const chat = (id: string, title: string, daysAgo: number, pinned = false): ConversationSummary => ({
  id,
  title,
  level: 'computer',
  widestLevel: 'computer',
  pinned,
  updatedAtMs: now - daysAgo * 86_400_000,
})
const chats = [
  chat('a', 'Старый чат', 30),
  chat('b', 'Trip', 0.2),
  chat('c', 'Lease', 0.1),
  chat('d', 'Photos', 3),
  chat('e', 'Trip two', 40, true),
]

describe('the list of chats', () => {
  it('groups by day, pinned first, newest first', () => {
    expect(groupChats(chats, '', now).map(({ group, chats: own }) => [group, own.map(({ id }) => id)])).toEqual([
      ['pinned', ['e']],
      ['today', ['c', 'b']],
      ['week', ['d']],
      ['older', ['a']],
    ])
  })

  it('searches titles whatever the case', () => {
    expect(groupChats(chats, ' СТАРЫЙ', now).flatMap(({ chats: own }) => own.map(({ id }) => id))).toEqual(['a'])
    expect(groupChats(chats, 'nothing', now)).toEqual([])
  })
})
