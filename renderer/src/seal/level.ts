import type { Conversation, LevelView, PrivacyLevel } from '../../../preload/api/chat.ts'
import { openReadersOf } from '../../../preload/api/privacy.ts'
import type { MessageId } from '../messages/texts.tsx'

/**
 * How a seal looks. `earned` (green) only for a level whose promise is kept right now; `open` (amber) for the Open network and for another
 * program, where others could read; `checking` while
 * nothing is known, and nothing is sent; `failed` when a check did not pass; `neutral` for the practice network, which proves nothing about who
 * could read on a real one, unless its worker serves with another program.
 */
export type SealTone = 'earned' | 'open' | 'neutral' | 'checking' | 'failed'

/** As Alt 1 to 6 count them. */
export const levelOrder: readonly PrivacyLevel[] = ['computer', 'devices', 'attested', 'open', 'practice', 'external']

export const levelName: Record<PrivacyLevel, MessageId> = {
  computer: 'level.computer.name',
  devices: 'level.devices.name',
  attested: 'level.attested.name',
  open: 'level.open.name',
  practice: 'level.practice.name',
  external: 'level.external.name',
}

/**
 * Ends the names of messages about who could read: at the Open network there are two of each, by whether questions are sealed past the proxy. While that
 * is not known, they tell of more readers.
 */
export type Reading = PrivacyLevel | 'openReadable'

export const readingAt = (level: PrivacyLevel, state: Pick<LevelView, 'seal'> | undefined): Reading =>
  level === 'open' && openReadersOf(state?.seal) === 'proxy-too' ? 'openReadable' : level

/** Whether others could read what was written in a chat before: it was at the Open network, or another program answered it. */
export const wereOthersReading = ({ widestLevel, turns }: Pick<Conversation, 'widestLevel' | 'turns'>): boolean =>
  turns.length > 0 && (widestLevel === 'open' || widestLevel === 'external' || turns.some(({ engine }) => engine !== undefined))

/** What the sheet says first. Where others could read earlier messages, it promises nothing of the whole conversation. */
export function summaryOf(
  level: PrivacyLevel,
  state: Pick<LevelView, 'seal' | 'engine'> | undefined,
  othersRead: boolean,
): MessageId {
  const reader = state?.engine ? 'external' : readingAt(level, state)
  if (othersRead && (reader === 'computer' || reader === 'devices' || reader === 'attested')) return `sheet.${reader}.summaryNext`
  return `sheet.${reader}.summary`
}

/** Where the long name does not fit. */
export const shortName: Record<PrivacyLevel, MessageId> = { ...levelName, practice: 'level.practice.short' }

const earnedTone: Record<PrivacyLevel, SealTone> = {
  computer: 'earned',
  devices: 'earned',
  attested: 'earned',
  open: 'open',
  practice: 'neutral',
  external: 'open',
}

/** Tone of a level as the place of the next message: its colour has to be earned, by the connection that there is now. */
export function sealTone(level: PrivacyLevel, state: LevelView | undefined): SealTone {
  if (state?.state !== 'ready') return 'checking'
  switch (state.seal.phase) {
    case 'earned':
    case 'aging':
      return pastTone(level, state.engine)
    case 'failed':
      return 'failed'
    case 'idle':
      return state.asleep ? 'neutral' : 'checking'
    case 'checking':
      return 'checking'
  }
}

/** Whether a message may be handed over: the core sends it once the seal is earned. */
export const mayAsk = (state: LevelView | undefined): boolean =>
  state?.state === 'ready' && state.seal.phase !== 'failed' && (state.seal.phase !== 'idle' || state.asleep === true)

const toSetUp: readonly string[] = ['level-no-device', 'level-no-engine']

/** Whether a level can be chosen: what has to be set up first, a paired device or an added engine, is offered once it is. */
export const isSetUp = (state: LevelView | undefined): boolean => !toSetUp.includes(state?.reasonWords?.code ?? '')

/** Tone of an answer that was given at a level; it keeps it for ever. @param engine of another program, where one read it */
export const pastTone = (level: PrivacyLevel, engine?: unknown): SealTone => (engine === undefined ? earnedTone[level] : 'open')
