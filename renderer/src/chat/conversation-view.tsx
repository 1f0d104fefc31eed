import { MessageSquare } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import type { Along, Conversation, PrivacyLevel, Turn } from '../../../preload/api/chat.ts'
import { ApiError } from '../../../preload/api/contract.ts'
import { type OpenReaders, openReadersOf } from '../../../preload/api/privacy.ts'
import { useApi } from '../api/api-context.tsx'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { isLayerOpen, useKeys } from '../app/keys.ts'
import { go } from '../app/route.ts'
import { useTexts } from '../messages/texts.tsx'
import { wereOthersReading } from '../seal/level.ts'
import { SecretDialog } from '../seal/secret-dialog.tsx'
import { useLevelChoice } from '../seal/use-level-choice.ts'
import { WidenDialog, type Widening } from '../seal/widen-dialog.tsx'
import { Button } from '../ui/button.tsx'
import { copyText } from '../ui/clipboard.ts'
import { EmptyState } from '../ui/empty-state.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { saveFile } from '../ui/save-file.ts'
import { Skeleton } from '../ui/skeleton.tsx'
import { ChatHeader, type ListToggle } from './chat-header.tsx'
import { ChatMenu } from './chat-menu.tsx'
import { Composer } from './composer.tsx'
import { draftSent, keepDraft, useDraft } from './drafts.ts'
import { ModelNotice } from './model-notice.tsx'
import { isNarrow } from './narrow.ts'
import { Transcript } from './transcript.tsx'
import { useConversation } from './use-conversation.ts'

export const isRunning = (turn: Turn | undefined): boolean => turn?.status === 'waiting' || turn?.status === 'streaming'

export function ConversationView({ id, list }: { id: string; list: ListToggle }) {
  const { t } = useTexts()
  const { value, error } = useConversation(id)
  const conversation = value?.conversation
  if (value?.deleted || error?.code === 'not-found') {
    return (
      <main className="page" data-region="content">
        <div className="page-inner">
          <div className="card">
            <EmptyState icon={MessageSquare} title={t('chat.goneTitle')} text={t('chat.goneText')}>
              <Button onClick={() => go('chat')}>{t('action.newChat')}</Button>
            </EmptyState>
          </div>
        </div>
      </main>
    )
  }
  if (!conversation) {
    return (
      <main className="page" data-region="content">
        <div className="page-inner">{error ? <Refusal error={error} /> : <Skeleton awaited={t('chat.loading')} lines={4} />}</div>
      </main>
    )
  }
  return <OpenConversation conversation={conversation} list={list} />
}

function OpenConversation({ conversation, list }: { conversation: Conversation; list: ListToggle }) {
  const { t } = useTexts()
  const api = useApi()
  const { id, level, turns } = conversation
  const [draft, setDraft] = useDraft(id)
  const levels = useStream('chat.levels', {}).value
  const state = levels?.find((one) => one.level === level)
  const setLevel = useCall('chat.setLevel')
  const stop = useCall('chat.stop')
  const giveUp = useCall('chat.giveUp')
  const receipt = useCall('chat.receipt')
  const last = turns.at(-1)
  const running = isRunning(last)
  const [refused, setRefused] = useState<ApiError | null>(null)
  /** A question to be asked again that looks like it holds a secret. */
  const [held, setHeld] = useState<{ readonly error: ApiError; readonly turn: Turn } | null>(null)
  const [widening, setWidening] = useState<Widening | null>(null)
  const failure = refused ?? setLevel.error ?? stop.error ?? giveUp.error ?? receipt.error

  const changeLevel = (next: PrivacyLevel): void => {
    if (next !== level) void move(next)
  }
  /** The core knows what has to be asked: it refuses until it was. */
  const move = async (to: PrivacyLevel, choice: { along?: Along; understood?: OpenReaders } = {}): Promise<void> => {
    setRefused(null)
    setWidening(null)
    try {
      const moved = await api.call('chat.setLevel', { id, level: to, ...choice })
      if (moved.id === id) return
      keepDraft(moved.id, draft)
      setDraft('')
      go('chat', moved.id)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.code === 'needs-choice' || error.code === 'needs-consent')
        setWidening({ from: level, to, messages: turns.length })
      else setRefused(error)
    }
  }
  const stopNow = (): void => {
    if (last && running) void stop.run({ id, turnId: last.id })
  }
  const saveReceipt = async (turn: Turn): Promise<void> => {
    const file = await receipt.run({ id, turnId: turn.id })
    if (file) saveFile(file.fileName, file.json, 'application/json')
  }
  const tryAgain = async (turn: Turn, secretsSeen = false): Promise<void> => {
    setRefused(null)
    try {
      await api.call('chat.retry', { id, turnId: turn.id, ...(secretsSeen && { secretsSeen }) })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.code === 'looks-secret') setHeld({ error, turn })
      else if (error.code === 'needs-consent' || error.code === 'needs-choice')
        setWidening({ from: level, to: level, messages: turns.length })
      else setRefused(error)
    }
  }
  const onThisComputer = async (turn: Turn): Promise<void> => {
    if (await setLevel.run({ id, level: 'computer' })) await tryAgain(turn)
  }

  useKeys({
    Escape: () => {
      if (!running || isLayerOpen() || (list.open && isNarrow())) return false
      stopNow()
      return undefined
    },
    'Mod+Shift+C': () => {
      if (!last?.answer) return false
      void copyText(last.answer)
      return undefined
    },
  })
  useLevelChoice(levels, changeLevel)

  return (
    <main className="flex min-w-0 flex-1 flex-col" data-region="content">
      <ChatHeader
        title={conversation.title}
        model={state?.model ?? last?.model}
        list={list}
        menu={(trigger) => <ChatMenu chat={conversation} trigger={trigger} onGone={() => go('chat')} />}
      />
      <Transcript
        conversation={conversation}
        onRetry={(turn) => void tryAgain(turn)}
        onThisComputer={onThisComputer}
        onReceipt={saveReceipt}
        levels={levels}
      />
      <Announcer turn={last} />
      <div className="chat-gutter flex-none pb-[1.125rem]">
        {failure ? (
          <div className="chat-column mb-3">
            <Refusal error={failure} />
          </div>
        ) : null}
        <ModelNotice level={level} />
        <Composer
          level={level}
          state={state}
          levels={levels}
          draft={draft}
          onDraft={setDraft}
          onSend={async (text, secretsSeen, turnId) => {
            await api.call('chat.send', { id, text, turnId, ...(secretsSeen && { secretsSeen }) })
          }}
          onSent={(text) => draftSent(id, text)}
          onGiveUp={() => void giveUp.run({ id })}
          onNeedsConsent={() => setWidening({ from: level, to: level, messages: turns.length })}
          onLevel={changeLevel}
          onStop={stopNow}
          running={running}
          threaded={turns.length > 0}
          first={turns.length === 0}
          lastTurn={last}
          othersRead={wereOthersReading(conversation)}
        />
      </div>
      <SecretDialog
        held={held?.error ?? null}
        onEdit={() => setHeld(null)}
        onSend={() => {
          setHeld(null)
          if (held) void tryAgain(held.turn, true)
        }}
      />
      <WidenDialog
        widening={widening}
        readers={openReadersOf(levels?.find((one) => one.level === 'open')?.seal)}
        onStay={() => setWidening(null)}
        onMove={(choice) => void move(widening?.to ?? level, choice)}
      />
      <h2 className="sr-only">{t('composer.label')}</h2>
    </main>
  )
}

/** Says that an answer begins and that it is ready, once each; the text itself is not read out token by token. */
function Announcer({ turn }: { turn: Turn | undefined }) {
  const { t } = useTexts()
  const [text, setText] = useState('')
  const before = useRef<{ id: string; running: boolean } | null>(null)
  const running = isRunning(turn)
  const turnId = turn?.id
  const tokens = turn?.usage?.completionTokens
  const status = turn?.status
  useEffect(() => {
    if (!turnId) return
    const was = before.current
    before.current = { id: turnId, running }
    if (running && !(was?.id === turnId && was.running)) setText(t('chat.answering'))
    else if (was?.id === turnId && was.running && !running) {
      setText(status === 'failed' ? t('chat.answerFailed') : t('chat.answerReady', { n: tokens ?? 0 }))
    }
  }, [turnId, running, status, tokens, t])
  return (
    <div role="status" className="sr-only">
      {text}
    </div>
  )
}
