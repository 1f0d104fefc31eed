import { useEffect, useRef, useState } from 'react'
import { isFree, type LevelView, type PrivacyLevel, type Turn } from '../../../preload/api/chat.ts'
import { useKeys } from '../app/keys.ts'
import { isolated } from '../format/plain-label.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { levelName, readingAt, sealTone, shortName } from './level.ts'
import { LevelSwitcher } from './level-switcher.tsx'
import { CheckingGlyph, FailedGlyph, LevelGlyph } from './seal-glyph.tsx'
import { useAgo } from './use-ago.ts'
import { VerificationSheet } from './verification-sheet.tsx'

interface SealRowProps {
  level: PrivacyLevel
  state: LevelView | undefined
  levels: readonly LevelView[] | undefined
  lastTurn: Turn | undefined
  othersRead: boolean
  sheetOpen: boolean
  onSheet(open: boolean): void
  onLevel(level: PrivacyLevel): void
}

/** Always on the composer's edge: who can read the next message, and what it costs. */
export function SealRow({ level, state, levels, lastTurn, othersRead, sheetOpen, onSheet, onLevel }: SealRowProps) {
  const { t } = useTexts()
  const pill = useRef<HTMLSpanElement>(null)
  const sealButton = useRef<HTMLButtonElement>(null)
  const tone = sealTone(level, state)
  const winding = useJustEarned(tone === 'earned', level)
  const { name, fullName, consequence } = useSealWords(level, state)
  const price = usePrice(level, state)
  useKeys({ 'Mod+I': () => onSheet(true) as undefined })
  // A change to where somebody could read, or to where nothing is sent, is said at once.
  const urgent = tone === 'failed' || tone === 'open'

  return (
    <div className={`seal-row tone-${tone}`}>
      <span ref={pill} className="seal-pill">
        <button
          ref={sealButton}
          type="button"
          aria-label={t('seal.details', { level: fullName, consequence })}
          onClick={() => onSheet(true)}
        >
          {tone === 'checking' ? (
            <CheckingGlyph />
          ) : tone === 'failed' ? (
            <FailedGlyph />
          ) : (
            <LevelGlyph level={level} winding={winding} />
          )}
          {name}
        </button>
        <LevelSwitcher anchor={pill} level={level} levels={levels} onLevel={onLevel} onEvidence={() => onSheet(true)} />
      </span>
      <span
        key={urgent ? 'alert' : 'status'}
        className="min-w-0 flex-1 truncate text-sm text-ink-2"
        title={consequence}
        role={urgent ? 'alert' : 'status'}
      >
        {consequence}
      </span>
      <span className="num hidden flex-none text-xs whitespace-nowrap text-ink-3 min-[1020px]:block">{price}</span>
      <VerificationSheet
        seal={sealButton}
        open={sheetOpen}
        onOpenChange={onSheet}
        level={level}
        state={state}
        lastTurn={lastTurn}
        othersRead={othersRead}
      />
    </div>
  )
}

/** The seal's name, the same in full, and the line beside it (ui.md §3.1). */
function useSealWords(level: PrivacyLevel, state: LevelView | undefined) {
  const { t } = useTexts()
  const { said, saidReason } = useCoreWords()
  const seal = state?.seal
  const report = seal?.phase === 'earned' || seal?.phase === 'aging' ? seal.report : undefined
  const ago = useAgo(level === 'attested' ? report?.checkedAtMs : undefined)
  const named = { name: t(shortName[level]), fullName: t(levelName[level]) }
  if (state?.state !== 'ready') return { ...named, consequence: saidReason(state) ?? t('seal.checking') }
  switch (state.seal.phase) {
    case 'earned':
    case 'aging':
      return {
        ...named,
        consequence: state.engine
          ? t(state.engine.isLoopback ? 'seal.external' : 'seal.externalAway', {
              name: isolated(state.engine.name),
              host: isolated(state.engine.host),
            })
          : t(`seal.${readingAt(level, state)}`, {
              ago: ago ?? '',
              device: isolated(state.device?.name ?? ''),
              name: '',
              host: '',
            }),
      }
    case 'failed': {
      const name = t('seal.failed')
      const { text, words } = state.seal.reason
      return { name, fullName: name, consequence: `${t('seal.failedText')} ${said(text, words)}` }
    }
    case 'idle':
    case 'checking': {
      if (state.asleep) return { ...named, consequence: t('seal.asleep') }
      const name = t('seal.checkingName')
      return { name, fullName: name, consequence: t('seal.checkingText') }
    }
  }
}

function usePrice(level: PrivacyLevel, state: LevelView | undefined): string {
  const { t } = useTexts()
  const format = useFormat()
  if (state?.seal.phase === 'failed') return isFree(level) ? '' : t('price.notCharged')
  if (level === 'computer') return t('price.freeHere')
  if (isFree(level)) return t('price.free')
  return state?.estimate === undefined ? '' : t('price.estimate', { amount: format.figure(state.estimate, 'up') })
}

/** True for one drawing after a seal was earned while the row was on the screen; not when it was earned already. */
function useJustEarned(earned: boolean, level: PrivacyLevel): boolean {
  const before = useRef({ earned, level })
  const [winding, setWinding] = useState(false)
  useEffect(() => {
    const was = before.current
    before.current = { earned, level }
    if (!earned || was.level !== level || was.earned) return
    setWinding(true)
    const timer = setTimeout(() => setWinding(false), 1_000)
    return () => clearTimeout(timer)
  }, [earned, level])
  return winding
}
