import type { ConversationSummary } from '../../../preload/api/chat.ts'
import { chatGroup } from '../format/date.ts'

export type ListGroup = 'pinned' | 'today' | 'week' | 'older'

/** Chats whose title holds the query, in groups, newest first; empty groups are left out. */
export function groupChats(
  chats: readonly ConversationSummary[],
  query: string,
  nowMs: number,
): ReadonlyArray<{ readonly group: ListGroup; readonly chats: readonly ConversationSummary[] }> {
  const wanted = query.trim().toLocaleLowerCase()
  const found = chats
    .filter(({ title }) => title.toLocaleLowerCase().includes(wanted))
    .toSorted((a, b) => b.updatedAtMs - a.updatedAtMs)
  const groupOf = (chat: ConversationSummary): ListGroup => (chat.pinned ? 'pinned' : chatGroup(chat.updatedAtMs, nowMs))
  return (['pinned', 'today', 'week', 'older'] as const)
    .map((group) => ({ group, chats: found.filter((chat) => groupOf(chat) === group) }))
    .filter(({ chats: own }) => own.length > 0)
}
