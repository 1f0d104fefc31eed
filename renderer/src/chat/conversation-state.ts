import type { Conversation, ConversationEvent } from '../../../preload/api/chat.ts'

/** A conversation as the page knows it; `deleted` stays true until the screen leaves it. */
export interface ConversationState {
  readonly conversation: Conversation | undefined
  readonly deleted: boolean
}

/** Applies one event. A piece of text for a turn that is not known is dropped: the next snapshot brings it. */
export function reduceConversation(last: ConversationState | undefined, event: ConversationEvent): ConversationState {
  if (event.type === 'snapshot') return { conversation: event.conversation, deleted: false }
  const conversation = last?.conversation
  if (event.type === 'deleted') return { conversation, deleted: true }
  if (!conversation) return { conversation: undefined, deleted: false }
  const { turns } = conversation
  switch (event.type) {
    case 'turn': {
      const known = turns.some(({ id }) => id === event.turn.id)
      const next = known ? turns.map((turn) => (turn.id === event.turn.id ? event.turn : turn)) : [...turns, event.turn]
      return { conversation: { ...conversation, turns: next }, deleted: false }
    }
    case 'delta':
      return {
        conversation: {
          ...conversation,
          turns: turns.map((turn) => (turn.id === event.turnId ? { ...turn, answer: turn.answer + event.text } : turn)),
        },
        deleted: false,
      }
    case 'summary':
      return { conversation: { ...conversation, ...event.summary }, deleted: false }
  }
}
