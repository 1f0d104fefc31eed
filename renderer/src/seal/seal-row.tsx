import { ChevronDown } from 'lucide-react'
import { Popover, RadioGroup } from 'radix-ui'
import { useEffect, useRef, useState } from 'react'
import type { LevelState, PrivacyLevel, Turn } from '../../../preload/api/chat.ts'
import { useKeys } from '../app/keys.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Icon } from '../ui/icon.tsx'
import { levelName, levelOrder, sealTone } from './level.ts'
import { CheckingGlyph, LevelGlyph } from './seal-glyph.tsx'
import { VerificationSheet } from './verification-sheet.tsx'

interface SealRowProps {
  level: PrivacyLevel
  state: LevelState | undefined
  levels: readonly LevelState[] | undefined
  lastTurn: Turn | undefined
  onLevel(level: PrivacyLevel): void
}

/** Always on the composer's edge: who can read the next message, and what it costs. */
export function SealRow({ level, state, levels, lastTurn, onLevel }: SealRowProps) {
  const { t } = useTexts()
  const { saidReason } = useCoreWords()
  const format = useFormat()
  const [sheetOpen, setSheetOpen] = useState(false)
  const pill = useRef<HTMLSpanElement>(null)
  const tone = sealTone(level, state)
  const winding = useJustEarned(tone === 'earned', level)
  useKeys({ 'Mod+I': () => setSheetOpen(true) as undefined })

  const consequence =
    tone === 'checking'
      ? (saidReason(state) ?? t('seal.checking'))
      : level === 'computer'
        ? t('seal.computer')
        : t('seal.practice')
  const price =
    level === 'computer'
      ? t('price.freeHere')
      : state?.estimate === undefined
        ? ''
        : t('price.estimate', { amount: format.figure(state.estimate, 'up') })
  const name = t(levelName[level])

  return (
    <div className={`seal-row tone-${tone}`}>
      <span ref={pill} className="seal-pill">
        <button type="button" aria-label={t('seal.details', { level: name, consequence })} onClick={() => setSheetOpen(true)}>
          {tone === 'checking' ? <CheckingGlyph /> : <LevelGlyph level={level} winding={winding} />}
          {level === 'practice' ? t('level.practice.short') : name}
        </button>
        <LevelSwitcher anchor={pill} level={level} levels={levels} onLevel={onLevel} onEvidence={() => setSheetOpen(true)} />
      </span>
      <span className="min-w-0 flex-1 truncate text-sm text-ink-2" title={consequence} role="status">
        {consequence}
      </span>
      <span className="num hidden flex-none text-xs whitespace-nowrap text-ink-3 min-[1020px]:block">{price}</span>
      <VerificationSheet open={sheetOpen} onOpenChange={setSheetOpen} level={level} state={state} lastTurn={lastTurn} />
    </div>
  )
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

interface LevelSwitcherProps {
  /** What the list of levels stands above. */
  anchor: React.RefObject<HTMLSpanElement | null>
  level: PrivacyLevel
  levels: readonly LevelState[] | undefined
  onLevel(level: PrivacyLevel): void
  onEvidence(): void
}

function LevelSwitcher({ anchor, level, levels, onLevel, onEvidence }: LevelSwitcherProps) {
  const { t } = useTexts()
  const [open, setOpen] = useState(false)
  const title = t('level.title')
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger aria-label={t('level.change')} title={t('level.change')}>
        <Icon of={ChevronDown} size={14} />
      </Popover.Trigger>
      <Popover.Anchor virtualRef={anchor as React.RefObject<HTMLSpanElement>} />
      <Popover.Portal>
        <Popover.Content
          className="level-popover"
          side="top"
          align="start"
          sideOffset={10}
          collisionPadding={12}
          aria-label={title}
        >
          <div className="flex items-baseline px-5 pt-4 pb-2.5">
            <h3 className="flex-1 text-lg font-semibold">{title}</h3>
            <span className="text-xs text-ink-3">{t('level.keys')}</span>
          </div>
          <RadioGroup.Root
            aria-label={title}
            value={level}
            onValueChange={(value) => {
              const next = levelOrder.find((one) => one === value)
              if (next) onLevel(next)
            }}
          >
            {levelOrder.map((one) => (
              <Option
                key={one}
                level={one}
                state={levels?.find((other) => other.level === one)}
                inUse={one === level}
                onChosen={() => setOpen(false)}
              />
            ))}
          </RadioGroup.Root>
          <div className="border-t border-line px-5 py-3">
            <button
              type="button"
              className="link min-h-7 text-sm"
              onClick={() => {
                setOpen(false)
                onEvidence()
              }}
            >
              {t('level.evidence')}
            </button>
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}

interface OptionProps {
  level: PrivacyLevel
  state: LevelState | undefined
  inUse: boolean
  onChosen(): void
}

function Option({ level, state, inUse, onChosen }: OptionProps) {
  const { t } = useTexts()
  const { saidReason } = useCoreWords()
  const format = useFormat()
  // A level that is not in use is neutral: it has not been earned for this chat.
  const tone = inUse ? sealTone(level, state) : 'neutral'
  const price =
    level === 'computer'
      ? t('price.free')
      : state?.estimate === undefined
        ? ''
        : t('price.answer', { amount: format.figure(state.estimate, 'up') })
  return (
    <RadioGroup.Item value={level} className={`level-option tone-${tone}`} aria-label={t(levelName[level])} onClick={onChosen}>
      <span className="seal-disc">
        <LevelGlyph level={level} size={20} />
      </span>
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-2">
          <b className={inUse ? 'seal-ink' : ''}>{t(level === 'practice' ? 'level.practice.short' : levelName[level])}</b>
          {inUse ? <span className="chip min-h-5!">{t('level.inUse')}</span> : null}
        </span>
        <span className="block text-sm text-ink-2">
          {(state?.state === 'ready' ? undefined : saidReason(state)) ?? t(`level.${level}.who`)}
        </span>
      </span>
      <span className="num max-w-[13.25rem] text-end text-xs text-ink-3">
        {state?.model}
        <br />
        {price}
      </span>
    </RadioGroup.Item>
  )
}
