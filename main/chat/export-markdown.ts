import type { Conversation, Turn } from '../../preload/api/chat.ts'
import { exactTon } from '../base/exact-ton.ts'
import { sentences } from '../base/failure.ts'
import { levelNames } from './privacy/levels.ts'

/** A conversation as Markdown. Each answer keeps the level it was given at (ui.md §3.5). */
export function exportMarkdown(conversation: Conversation): { fileName: string; markdown: string } {
  const parts = conversation.turns.flatMap((turn) => [`## ${new Date(turn.createdAtMs).toISOString()}`, ...turnParts(turn)])
  const markdown = [`# ${conversation.title}`, `Widest level: ${levelNames[conversation.widestLevel]}`, ...parts].join('\n\n')
  return { fileName: `${fileStem(conversation.title)}.md`, markdown: `${markdown}\n` }
}

function turnParts(turn: Turn): string[] {
  const facts = [levelNames[turn.level], turn.model]
  if (turn.usage !== undefined) facts.push(`${turn.usage.completionTokens} tokens`)
  if (turn.usage?.cost !== undefined) facts.push(exactTon(turn.usage.cost))
  if (turn.earlierCost !== undefined) facts.push(`${exactTon(turn.earlierCost)} for earlier answers`)
  if (turn.status === 'stopped') facts.push('stopped')
  if (turn.error !== undefined) facts.push(sentences(turn.error.message, turn.error.money))
  return ['**You**', turn.question, '**Answer**', turn.answer, `_${facts.filter((fact) => fact !== '').join(' · ')}_`].filter(
    (part) => part !== '',
  )
}

/** Letters and digits of any script; nothing that a file system or a shell treats specially. */
function fileStem(title: string): string {
  const stem = title.replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-+|-+$/g, '')
  return [...stem].slice(0, 60).join('') || 'chat'
}
