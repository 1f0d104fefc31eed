import type { ConversationEvent, Turn } from '../../../preload/api/chat.ts'

/** The first value of a stream that holds. */
export async function first<T>(values: AsyncIterable<T>, holds: (value: T) => boolean): Promise<T> {
  for await (const value of values) if (holds(value)) return value
  throw new Error('The stream ended without it.')
}

/** A turn of a conversation once it has ended, however it did. */
export async function endedTurn(events: AsyncIterable<ConversationEvent>, turnId: string): Promise<Turn> {
  for await (const event of events) {
    const turns = event.type === 'snapshot' ? event.conversation.turns : event.type === 'turn' ? [event.turn] : []
    const turn = turns.find((one) => one.id === turnId)
    if (turn && turn.status !== 'waiting' && turn.status !== 'streaming') return turn
  }
  throw new Error('The turn did not end.')
}
