import type { Turn } from '../../preload/api/chat.ts'
import type { ChatMessage } from '../inference/engine.ts'

/**
 * Said to every model before the conversation. Without it some chat templates put a line of their own in its place, which names a product
 * and makes small models answer about themselves.
 */
export const instruction: ChatMessage = { role: 'system', content: 'You are a helpful assistant. Answer briefly and plainly.' }

/** What the model is told: earlier turns that have an answer, whole or in part, and the new question. */
export function messagesFor(earlier: readonly Turn[], question: string): ChatMessage[] {
  const history = earlier.filter(isTold).flatMap((turn): ChatMessage[] => [
    { role: 'user', content: turn.question },
    { role: 'assistant', content: turn.answer },
  ])
  return [instruction, ...history, { role: 'user', content: question }]
}

/** Turns without an answer are left out: two questions in a row do not fit the templates of many models. */
export function isTold(turn: Turn): boolean {
  return turn.question !== '' && turn.answer !== ''
}
