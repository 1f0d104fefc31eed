import { useRef, useState } from 'react'
import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import { ApiError } from '../../../preload/api/contract.ts'
import { type OpenReaders, openReadersOf } from '../../../preload/api/privacy.ts'
import { useApi } from '../api/api-context.tsx'
import { useStream } from '../api/use-stream.ts'
import { go } from '../app/route.ts'
import { Mark } from '../frame/mark.tsx'
import { useTexts } from '../messages/texts.tsx'
import { readingAt } from '../seal/level.ts'
import { useLevelChoice } from '../seal/use-level-choice.ts'
import { WidenDialog } from '../seal/widen-dialog.tsx'
import { Button } from '../ui/button.tsx'
import { ChatHeader, type ListToggle } from './chat-header.tsx'
import { Composer } from './composer.tsx'
import { draftSent, useDraft } from './drafts.ts'
import { dropIfEmpty } from './drop-empty.ts'
import { ModelNotice } from './model-notice.tsx'

const examples = ['explain', 'plan', 'code'] as const

/** A chat that does not exist yet: it is made with its first message. */
export function NewChat({ list }: { list: ListToggle }) {
  const { t } = useTexts()
  const api = useApi()
  const [level, setChosen] = useState<PrivacyLevel>('computer')
  const [asking, setAsking] = useState(false)
  /** Given here for the one chat that is made from here. */
  const understood = useRef<OpenReaders>(undefined)
  const setLevel = (next: PrivacyLevel): void => {
    const isThere = levels?.find((one) => one.level === next)?.state !== 'unavailable'
    if (next === 'open' && level !== 'open' && isThere) setAsking(true)
    else setChosen(next)
  }
  const [draft, setDraft] = useDraft('new')
  const levels = useStream('chat.levels', {}).value
  const state = levels?.find((one) => one.level === level)
  useLevelChoice(levels, setLevel)

  /** Between the first message and the new screen there is a moment in which another press would make another chat. */
  const made = useRef(false)
  /** The chat whose first message waits for its seal. */
  const waiting = useRef<string | null>(null)
  /** The chat of a first message that may have arrived before the link was lost. */
  const maybeSent = useRef<{ readonly id: string; readonly turnId: string; readonly level: PrivacyLevel } | null>(null)
  const giveUp = (): void => {
    // It may be on its way by now; then the new screen shows it.
    if (waiting.current) void api.call('chat.giveUp', { id: waiting.current }).catch(() => undefined)
  }
  const send = async (text: string, secretsSeen: boolean, turnId: string): Promise<void> => {
    if (made.current) return
    const kept = maybeSent.current
    const isSame = kept?.turnId === turnId && kept.level === level
    if (kept !== null && !isSame) {
      maybeSent.current = null
      void dropIfEmpty(api, kept.id)
    }
    const id =
      kept !== null && isSame
        ? kept.id
        : (
            await api.call('chat.create', {
              level,
              ...(level === 'open' && understood.current && { understood: understood.current }),
            })
          ).id
    waiting.current = id
    try {
      await api.call('chat.send', { id, text, turnId, ...(secretsSeen && { secretsSeen }) })
    } catch (error) {
      const isLost = error instanceof ApiError && error.code === 'disconnected'
      maybeSent.current = isLost ? { id, turnId, level } : null
      // The text stays here in the field, so an empty chat must not stay in the list. Whether one is empty after a lost link, nobody knows here.
      if (!isLost) await api.call('chat.delete', { id }).catch(() => undefined)
      throw error
    } finally {
      waiting.current = null
    }
    made.current = true
    go('chat', id)
  }

  return (
    <main className="flex min-w-0 flex-1 flex-col" data-region="content">
      <ChatHeader title={t('chat.new')} model={state?.model} list={list} />
      <div className="flex min-h-0 flex-1 flex-col overflow-y-auto">
        <div className="chat-gutter my-auto py-6">
          <div className="chat-column">
            <Mark size={40} className="text-accent" />
            <h2 className="mt-4 text-2xl tracking-tight">{t('chat.emptyTitle')}</h2>
            <p className="mt-1 text-ink-2">
              {state?.state !== 'ready' ? t('chat.emptyWaiting') : t(`chat.empty.${readingAt(level, state)}`)}
            </p>
            <div className="mt-5 flex flex-wrap gap-2">
              {examples.map((name) => (
                <Button
                  key={name}
                  onClick={() => {
                    setDraft(t(`chat.example.${name}.text`))
                    document.querySelector<HTMLTextAreaElement>('[data-region="composer"] textarea')?.focus()
                  }}
                >
                  {t(`chat.example.${name}.name`)}
                </Button>
              ))}
            </div>
          </div>
        </div>
      </div>
      <div className="chat-gutter flex-none pb-[1.125rem]">
        <ModelNotice level={level} />
        <Composer
          level={level}
          state={state}
          levels={levels}
          draft={draft}
          onDraft={setDraft}
          onSend={send}
          onSent={(text) => draftSent('new', text)}
          onGiveUp={giveUp}
          onLevel={setLevel}
          running={false}
          threaded={false}
          first
          onNeedsConsent={() => setAsking(true)}
        />
      </div>
      <WidenDialog
        widening={asking ? { from: level, to: 'open', messages: 0 } : null}
        readers={openReadersOf(levels?.find((one) => one.level === 'open')?.seal)}
        onStay={() => setAsking(false)}
        onMove={({ understood: ticked }) => {
          understood.current = ticked
          setAsking(false)
          setChosen('open')
        }}
      />
    </main>
  )
}
