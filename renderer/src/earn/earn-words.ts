import type { EarnState } from '../../../preload/api/earn.ts'
import type { Language } from '../format/number.ts'
import type { TrayGlyphKind } from '../frame/mark.tsx'
import type { Say } from '../messages/texts.tsx'
import type { CoreSay } from '../messages/use-core-words.ts'

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
 * from their own catalogue, and its reason by its words.
 */
export const earnTile = (earn: EarnState, t: Say, language: Language): string =>
  language === 'en' ? earn.tile : t(`earn.tile.${earn.status}`)

export function earnTitle(earn: EarnState, t: Say, language: Language, said: CoreSay): string {
  if (earn.diskFull) return t('disk.full')
  if (earn.titleWords) return said(earn.title, earn.titleWords)
  return language === 'en' ? earn.title : t(`earn.title.${earn.status}`)
}

export function earnLine(earn: EarnState, t: Say, language: Language, said: CoreSay): string {
  if (earn.diskFull) return t('disk.earning', { folder: earn.diskFull.folder })
  const { line, lineWords, status, pause } = earn
  if (pause) {
    const others = pause.reasons.slice(1).map((reason) => t(`limits.reason.${reason}`))
    const first = said(line, lineWords)
    return others.length === 0 ? first : `${first} ${t('earn.also', { list: others.join(', ') })}`
  }
  if (language === 'en') return line
  if (status === 'error' || (status === 'starting' && lineWords)) return said(line, lineWords)
  const own = t(`earn.line.${status}`, { running: earn.running, model: earn.model ?? '' })
  // A reason that this language has no words for is left out: the state itself says enough.
  const reason = status === 'offline' && lineWords ? said('', lineWords) : ''
  return reason === '' ? own : `${own} ${reason}`
}
