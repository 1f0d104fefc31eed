import type { Turn } from '../../preload/api/chat.ts'
import { Failure } from '../base/failure.ts'
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

/** Whether a question with fewer earlier turns could be answered: it was too much for the model, or for what may be reserved for it at once. */
export function isTooMuch(thrown: unknown): boolean {
  return thrown instanceof Failure && (thrown.code === 'context-too-small' || thrown.code === 'above-credit')
}

/** The newer half of the turns, for the next try. */
export function newerHalf(turns: readonly Turn[]): readonly Turn[] {
  return turns.slice(Math.ceil(turns.length / 2))
}

/** Turns without an answer are left out: two questions in a row do not fit the templates of many models. */
export function isTold(turn: Turn): boolean {
  return turn.question !== '' && turn.answer !== ''
}
