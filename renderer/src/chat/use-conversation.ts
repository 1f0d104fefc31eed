import { useMemo, useSyncExternalStore } from 'react'
import { useApi } from '../api/api-context.tsx'
import { type StreamState, streamStore } from '../api/stream-store.ts'
import { type ConversationState, reduceConversation } from './conversation-state.ts'

/** One conversation, kept current by its events for as long as it is on the screen. */
export function useConversation(id: string): StreamState<ConversationState> {
  const api = useApi()
  const store = useMemo(
    () => streamStore<'chat.conversation', ConversationState>(api, 'chat.conversation', { id }, reduceConversation),
    [api, id],
  )
  return useSyncExternalStore(store.subscribe, store.read)
}
