import { AlertDialog, RadioGroup } from 'radix-ui'
import { useId, useRef, useState } from 'react'
import type { Along, PrivacyLevel } from '../../../preload/api/chat.ts'
import type { OpenReaders } from '../../../preload/api/privacy.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { levelName } from './level.ts'
import { Path } from './path.tsx'
import { LevelGlyph } from './seal-glyph.tsx'

export interface Widening {
  readonly from: PrivacyLevel
  readonly to: PrivacyLevel
  /** Messages that could go along. */
  readonly messages: number
}

interface WidenDialogProps {
  /** Null while nothing is asked. */
  widening: Widening | null
  /** Who could read at the Open network now. */
  readers: OpenReaders
  onStay(): void
  onMove(choice: { along?: Along; understood?: OpenReaders }): void
}

/** The question before more people could read (ui.md §3.5). The core asks it again: what is not chosen here is refused there. */
export function WidenDialog({ widening, readers, onStay, onMove }: WidenDialogProps) {
  return (
    <AlertDialog.Root open={widening !== null} onOpenChange={(open) => open || onStay()}>
      <AlertDialog.Portal>
        {/* Below the dialog whichever of both comes into the page first: the question is made when it is asked. */}
        <AlertDialog.Overlay className="scrim z-40" />
        {widening === null ? null : (
          <Question key={widening.to} {...widening} readers={readers} onStay={onStay} onMove={onMove} />
        )}
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}

type QuestionProps = Widening & Pick<WidenDialogProps, 'readers' | 'onStay' | 'onMove'>

function Question({ from, to, messages, readers: readersNow, onStay, onMove }: QuestionProps) {
  const { t } = useTexts()
  const stay = useRef<HTMLButtonElement>(null)
  const box = useId()
  const [along, setAlong] = useState<Along>('new-chat')
  const [understood, setUnderstood] = useState(false)
  // As it was asked: a check that runs meanwhile changes nothing under the reader's hands. What was ticked of fewer readers is not taken for more.
  const [readers] = useState(readersNow)
  const isOpen = to === 'open'
  const isReadable = readers === 'proxy-too'
  /** At the same level another engine was chosen. */
  const isOther = from === to && !isOpen
  /** At the practice network it is asked about nothing else than a program that its worker serves with. */
  const isProgram = to === 'external' || to === 'practice'
  const asksAlong = messages > 0 && (from !== to || isOther)
  const move = (): void => onMove({ ...(asksAlong && { along }), ...(isOpen && understood && { understood: readers }) })
  return (
    <AlertDialog.Content
      className="dialog dialog-wide"
      onOpenAutoFocus={(event) => {
        event.preventDefault()
        // What the dialog says is read first, also where it is higher than the window.
        stay.current?.focus({ preventScroll: true })
      }}
    >
      <div className={`mb-4 flex items-center gap-4 tone-${isOpen ? 'open' : 'neutral'}`}>
        <span className="seal-disc">
          <LevelGlyph level={to} size={22} />
        </span>
        <div>
          <AlertDialog.Title className="text-xl font-semibold">
            {isOpen
              ? t(isReadable ? 'widen.openReadableTitle' : 'widen.openTitle')
              : t('widen.title', { level: t(levelName[to]) })}
          </AlertDialog.Title>
          <p className="text-sm text-ink-2">
            {isOther ? t('widen.otherEngine') : t('widen.switching', { level: t(levelName[to]) })}
          </p>
        </div>
      </div>
      {isOpen ? <Path level="open" reading={isReadable ? 'openReadable' : 'open'} tone="open" /> : null}
      <AlertDialog.Description className="mt-3 text-ink-2">
        {t(isOpen ? (isReadable ? 'widen.openReadableText' : 'widen.openText') : isProgram ? 'widen.externalText' : 'widen.text')}
      </AlertDialog.Description>
      {asksAlong ? (
        <>
          <p className="mt-4 mb-2 font-semibold">{t('widen.messages', { n: messages })}</p>
          <RadioGroup.Root
            aria-label={t('widen.messages', { n: messages })}
            value={along}
            onValueChange={(value) => setAlong(value === 'send-along' ? 'send-along' : 'new-chat')}
            className="flex flex-col gap-2"
          >
            {(['new-chat', 'send-along'] as const).map((one) => (
              <RadioGroup.Item key={one} value={one} className="along-option">
                <span className="along-dot" aria-hidden="true" />
                <span className="flex min-w-0 flex-1 flex-wrap items-baseline justify-between gap-x-3">
                  <b>{t(`widen.${one}`)}</b>
                  <span className="text-sm text-ink-2">
                    {one === 'new-chat'
                      ? t('widen.stayHere', { n: messages })
                      : t(
                          isOpen
                            ? isReadable
                              ? 'widen.readableToo'
                              : 'widen.readToo'
                            : isProgram
                              ? 'widen.externalToo'
                              : 'widen.goToo',
                        )}
                  </span>
                </span>
              </RadioGroup.Item>
            ))}
          </RadioGroup.Root>
        </>
      ) : null}
      {isOpen ? (
        <label htmlFor={box} className="mt-4 flex min-h-7 items-center gap-2.5">
          <input
            id={box}
            type="checkbox"
            className="checkbox"
            checked={understood}
            onChange={(event) => setUnderstood(event.target.checked)}
            onKeyDown={(event) => {
              // Enter never consents.
              if (event.key === 'Enter') event.preventDefault()
            }}
          />
          {t(isReadable ? 'widen.understoodReadable' : 'widen.understood')}
        </label>
      ) : null}
      <div className="mt-5 flex flex-wrap items-center justify-end gap-2">
        <span className="flex-1 text-sm text-ink-3">{t('widen.thisChat')}</span>
        <AlertDialog.Cancel ref={stay} className="btn" onClick={onStay}>
          {from === to ? t('widen.notNow') : t('widen.stay', { level: t(levelName[from]) })}
        </AlertDialog.Cancel>
        {isOpen ? (
          <Button
            className="btn-open"
            disabled={!understood}
            onClick={move}
            onKeyDown={(event) => {
              if (event.key === 'Enter') event.preventDefault()
            }}
          >
            {t('widen.useOpen')}
          </Button>
        ) : (
          <Button kind="primary" onClick={move}>
            {t('widen.use', { level: t(levelName[to]) })}
          </Button>
        )}
      </div>
    </AlertDialog.Content>
  )
}
