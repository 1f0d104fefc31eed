import { ChevronDown } from 'lucide-react'
import { Popover, RadioGroup } from 'radix-ui'
import { useState } from 'react'
import { isFree, type LevelView, type PrivacyLevel } from '../../../preload/api/chat.ts'
import { shownKeys } from '../app/keys.ts'
import { withoutFolder } from '../format/names.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Icon } from '../ui/icon.tsx'
import { isSetUp, levelName, levelOrder, readingAt, sealTone, shortName } from './level.ts'
import { LevelGlyph } from './seal-glyph.tsx'

interface LevelSwitcherProps {
  /** What the list of levels stands above. */
  anchor: React.RefObject<HTMLSpanElement | null>
  level: PrivacyLevel
  levels: readonly LevelView[] | undefined
  onLevel(level: PrivacyLevel): void
  onEvidence(): void
}

export function LevelSwitcher({ anchor, level, levels, onLevel, onEvidence }: LevelSwitcherProps) {
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
          <h3 className="px-5 pt-4 pb-2.5 text-lg font-semibold">{title}</h3>
          <RadioGroup.Root
            aria-label={title}
            value={level}
            onValueChange={(value) => {
              const next = levelOrder.find((one) => one === value)
              if (next) onLevel(next)
            }}
          >
            {offered(level, levels).map((one) => (
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

function offered(level: PrivacyLevel, levels: readonly LevelView[] | undefined): readonly PrivacyLevel[] {
  return levelOrder.filter((one) => one === level || isSetUp(levels?.find((other) => other.level === one)))
}

interface OptionProps {
  level: PrivacyLevel
  state: LevelView | undefined
  inUse: boolean
  onChosen(): void
}

function Option({ level, state, inUse, onChosen }: OptionProps) {
  const { t } = useTexts()
  const { saidReason } = useCoreWords()
  const format = useFormat()
  // A level that is not in use is neutral: it has not been earned for this chat.
  const tone = inUse ? sealTone(level, state) : 'neutral'
  const price = isFree(level)
    ? t('price.free')
    : state?.estimate === undefined
      ? ''
      : t('price.answer', { amount: format.figure(state.estimate, 'up') })
  const isReady = state?.state === 'ready'
  return (
    <RadioGroup.Item value={level} className={`level-option tone-${tone}`} aria-label={t(levelName[level])} onClick={onChosen}>
      <span className="seal-disc">
        <LevelGlyph level={level} size={20} />
      </span>
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-2">
          <b className={inUse ? 'seal-ink' : ''}>{t(shortName[level])}</b>
          {inUse ? <span className="chip min-h-5!">{t('level.inUse')}</span> : null}
          <kbd>{shownKeys(`Alt+${levelOrder.indexOf(level) + 1}`)}</kbd>
        </span>
        <span className="block text-sm text-ink-2">
          {(isReady ? undefined : saidReason(state)) ?? t(`level.${state?.engine ? 'external' : readingAt(level, state)}.who`)}
        </span>
      </span>
      <span className="num max-w-[13.25rem] text-end text-xs text-ink-3">
        {isReady ? (
          <>
            <span title={state.model}>{withoutFolder(state.model ?? '')}</span>
            <br />
            {price}
          </>
        ) : null}
      </span>
    </RadioGroup.Item>
  )
}
