import type { LevelState, PrivacyLevel } from '../../../preload/api/chat.ts'
import type { MessageId } from '../messages/texts.tsx'

/**
 * How a seal looks. `earned` (green) only for a level whose promise is kept right now; `checking` while that is not known, and nothing
 * is sent; `neutral` for the practice network, which proves nothing about who could read on a real one.
 */
export type SealTone = 'earned' | 'neutral' | 'checking'

export const levelOrder: readonly PrivacyLevel[] = ['computer', 'practice']

export const levelName: Record<PrivacyLevel, MessageId> = {
  computer: 'level.computer.name',
  practice: 'level.practice.name',
}

/** Tone of a level as the place of the next message. */
export function sealTone(level: PrivacyLevel, state: LevelState | undefined): SealTone {
  if (state?.state !== 'ready') return 'checking'
  return level === 'computer' ? 'earned' : 'neutral'
}

/** Tone of an answer that was given at a level; it keeps it for ever. */
export const pastTone = (level: PrivacyLevel): SealTone => (level === 'computer' ? 'earned' : 'neutral')
