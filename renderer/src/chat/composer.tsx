import { ArrowUp, LoaderCircle, Square } from 'lucide-react'
import { useRef, useState } from 'react'
import { type LevelView, mostQuestionLetters, type PrivacyLevel, type Turn } from '../../../preload/api/chat.ts'
import { ApiError } from '../../../preload/api/contract.ts'
import { useLinkStatus } from '../api/api-context.tsx'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { FailedNote } from '../seal/failed-note.tsx'
import { mayAsk, sealTone } from '../seal/level.ts'
import { SealRow } from '../seal/seal-row.tsx'
import { SecretDialog } from '../seal/secret-dialog.tsx'
import { ErrorNote } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { newTurnId } from './turn-id.ts'

interface ComposerProps {
  level: PrivacyLevel
  state: LevelView | undefined
  levels: readonly LevelView[] | undefined
  draft: string
  onDraft(text: string): void
  /** @param secretsSeen the user saw that it looks like a secret */
  onSend(text: string, secretsSeen: boolean, turnId: string): Promise<void>
  /** The text was taken. */
  onSent(text: string): void
  /** The Open network wants consent before this message. */
  onNeedsConsent?: () => void
  /** A message that waits for its seal is not to be sent. */
  onGiveUp(): void
  onLevel(level: PrivacyLevel): void
  onStop?: () => void
  running: boolean
  threaded: boolean
  /** No message yet. */
  first: boolean
  lastTurn?: Turn | undefined
  /** Others could read earlier messages of this chat. */
  othersRead?: boolean
}

/** The text stays in the field until the core has taken it; a failure keeps it and says why. */
export function Composer(props: ComposerProps) {
  const {
    level,
    levels,
    draft,
    onDraft,
    onSend,
    onSent,
    onNeedsConsent,
    onGiveUp,
    onLevel,
    onStop,
    running,
    threaded,
    first,
    lastTurn,
    othersRead = false,
  } = props
  const { t } = useTexts()
  const format = useFormat()
  const { saidError } = useCoreWords()
  const connected = useLinkStatus() === 'open'
  // Without the core nothing is known about a level, so no seal stands.
  const state = connected ? props.state : undefined
  const [sending, setSending] = useState(false)
  const [failure, setFailure] = useState<{ readonly title: string; readonly text: string } | null>(null)
  const [held, setHeld] = useState<ApiError | null>(null)
  const [sheetOpen, setSheetOpen] = useState(false)
  const field = useRef<HTMLTextAreaElement>(null)
  /** Known at once, unlike state: two presses before the next drawing are one. */
  const underWay = useRef(false)
  const givenUp = useRef(false)
  const attempt = useRef<{ readonly text: string; readonly turnId: string } | null>(null)
  const ready = connected && mayAsk(state)
  const letters = draft.trim().length
  const tooLong = letters > mostQuestionLetters
  const canSend = ready && !running && !sending && letters > 0 && !tooLong

  const send = async (secretsSeen = false): Promise<void> => {
    if (!canSend || underWay.current) return
    // The same words sent again after a failure are the same turn: the first may have arrived.
    if (attempt.current?.text !== draft) attempt.current = { text: draft, turnId: newTurnId() }
    underWay.current = true
    // Where Esc gives it up.
    field.current?.focus()
    givenUp.current = false
    setSending(true)
    setFailure(null)
    try {
      await onSend(draft, secretsSeen, attempt.current.turnId)
      attempt.current = null
      onSent(draft)
      field.current?.focus()
    } catch (error) {
      if (error instanceof ApiError && error.code === 'looks-secret') setHeld(error)
      else if (error instanceof ApiError && (error.code === 'needs-consent' || error.code === 'needs-choice') && onNeedsConsent)
        onNeedsConsent()
      else if (!(givenUp.current && error instanceof ApiError && error.code === 'refused'))
        setFailure({
          // The answer to the sending did not come, so nobody knows here what became of it.
          title: t(error instanceof ApiError && error.code === 'disconnected' ? 'chat.maybeSent' : 'chat.notSent'),
          text: error instanceof ApiError ? saidError(error) : t('chat.sendFailed'),
        })
    } finally {
      underWay.current = false
      setSending(false)
    }
  }

  const giveUp = (): void => {
    givenUp.current = true
    onGiveUp()
  }

  return (
    <div className="chat-column">
      {failure ? (
        <div className="mb-3">
          <ErrorNote title={failure.title}>
            <p>{failure.text}</p>
          </ErrorNote>
        </div>
      ) : null}
      {state ? <FailedNote state={state} onWhy={() => setSheetOpen(true)} onThisComputer={() => onLevel('computer')} /> : null}
      <SecretDialog
        held={held}
        onEdit={() => {
          setHeld(null)
          field.current?.focus()
        }}
        onSend={() => {
          setHeld(null)
          void send(true)
        }}
      />
      <form
        className={`composer -mx-4 tone-${sealTone(level, state)}`}
        data-threaded={threaded}
        data-level={level}
        data-region="composer"
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        <SealRow
          level={level}
          state={state}
          levels={levels}
          sheetOpen={sheetOpen}
          onSheet={setSheetOpen}
          onLevel={onLevel}
          lastTurn={lastTurn}
          othersRead={othersRead}
        />
        <textarea
          ref={field}
          className="composer-text"
          dir="auto"
          aria-label={t('composer.label')}
          placeholder={level === 'open' ? t('composer.open') : first ? t('composer.first') : t('composer.next')}
          rows={1}
          aria-invalid={tooLong}
          // biome-ignore lint/a11y/noAutofocus: the message field is what the screen is for
          autoFocus
          value={draft}
          readOnly={sending}
          aria-busy={sending}
          onChange={(event) => onDraft(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && sending) {
              event.preventDefault()
              giveUp()
            }
            if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
            event.preventDefault()
            void send()
          }}
        />
        <div className="flex items-center gap-2 py-1 ps-4 pe-2 pb-2 text-xs text-ink-3">
          <span className={`min-w-0 flex-1 truncate ${tooLong ? 'text-danger' : ''}`} role={tooLong ? 'alert' : undefined}>
            {tooLong
              ? t('composer.tooLong', { letters: format.count(letters), most: format.count(mostQuestionLetters) })
              : t('composer.newLine')}
          </span>
          <span className="flex-none">
            {sending
              ? t('composer.givesUp')
              : running
                ? t('composer.stops')
                : ready || !connected
                  ? t('composer.sends')
                  : t('composer.waits')}
          </span>
          {running && onStop && connected ? (
            <button
              type="button"
              className="send-btn"
              data-kind="stop"
              aria-label={t('action.stop')}
              title={t('action.stop')}
              onClick={onStop}
            >
              <Square size={13} fill="currentColor" aria-hidden="true" />
            </button>
          ) : sending && connected ? (
            <button
              type="button"
              className="send-btn"
              data-kind="stop"
              aria-label={t('action.giveUp')}
              title={t('action.giveUp')}
              // The second click of a double click on Send is none on this button.
              onClick={(event) => event.detail < 2 && giveUp()}
            >
              <Icon of={LoaderCircle} size={18} className="spin" />
            </button>
          ) : (
            <button type="submit" className="send-btn" aria-label={t('action.send')} title={t('action.send')} disabled={!canSend}>
              <Icon of={sending ? LoaderCircle : ArrowUp} size={18} className={sending ? 'spin' : ''} />
            </button>
          )}
        </div>
      </form>
    </div>
  )
}
