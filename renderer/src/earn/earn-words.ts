import type { EarnState } from '../../../preload/api/earn.ts'
import type { Language } from '../format/number.ts'
import type { TrayGlyphKind } from '../frame/mark.tsx'
import type { Say } from '../messages/texts.tsx'

export type EarnTone = 'earning' | 'error' | 'idle'

export function earnTone(earn: EarnState | undefined): EarnTone {
  if (earn?.status === 'earning') return 'earning'
  return earn?.status === 'error' || earn?.status === 'offline' ? 'error' : 'idle'
}

export function glyphOf(earn: EarnState | undefined): TrayGlyphKind {
  switch (earn?.status) {
    case 'earning':
      return 'earning'
    case 'paused':
      return 'paused'
    case 'error':
    case 'offline':
      return 'error'
    default:
      return 'idle'
  }
}

/**
 * The core chooses the words of its state table in English, with what only it knows (reasons, times). Other languages say the same state
 * from their own catalogue; the core's line stays where only it holds the reason.
 */
export const earnTile = (earn: EarnState, t: Say, language: Language): string =>
  language === 'en' ? earn.tile : t(`earn.tile.${earn.status}`)

export const earnTitle = (earn: EarnState, t: Say, language: Language): string =>
  language === 'en' ? earn.title : t(`earn.title.${earn.status}`)

export function earnLine(earn: EarnState, t: Say, language: Language): string {
  if (language === 'en' || earn.status === 'error') return earn.line
  return t(`earn.line.${earn.status}`, { running: earn.running, model: earn.model ?? '' })
}
