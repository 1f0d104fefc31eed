import { useEffect, useState } from 'react'
import { useApi } from '../api/api-context.tsx'
import { useStream } from '../api/use-stream.ts'
import { isLayerOpen, useKeys } from '../app/keys.ts'
import { go } from '../app/route.ts'
import { useTexts } from '../messages/texts.tsx'
import { ChatList } from './chat-list.tsx'
import { ConversationView } from './conversation-view.tsx'
import { isNarrow, wideScreen } from './narrow.ts'
import { NewChat } from './new-chat.tsx'

/** List and conversation. Below 1100 px the list is an overlay, closed until asked for. */
export function ChatScreen({ id }: { id: string | undefined }) {
  const [listOpen, setListOpen] = useState(() => !isNarrow())
  const { t } = useTexts()
  const chats = useStream('chat.list', {})
  const api = useApi()
  useEffect(() => {
    // Without the core there is nothing to check; the next focus asks again.
    const tell = (): void => void api.call('chat.focused', {}).catch(() => undefined)
    addEventListener('focus', tell)
    return () => removeEventListener('focus', tell)
  }, [api])
  useEffect(() => {
    // In a window that was made narrow it would lie over the seal without having been asked for.
    const narrow = (): void => {
      if (isNarrow()) setListOpen(false)
    }
    wideScreen.addEventListener('change', narrow)
    return () => wideScreen.removeEventListener('change', narrow)
  }, [])
  useKeys({
    Escape: () => {
      if (!isNarrow() || !listOpen || isLayerOpen()) return false
      setListOpen(false)
      return undefined
    },
    'Mod+B': () => setListOpen((open) => !open) as undefined,
    'Mod+F': () => {
      setListOpen(true)
      requestAnimationFrame(() => document.querySelector<HTMLInputElement>('[data-region="list"] input')?.focus())
      return undefined
    },
  })
  const pick = (): void => {
    if (isNarrow()) setListOpen(false)
  }
  const toggle = { open: listOpen, toggle: () => setListOpen(!listOpen) }
  return (
    <div className="relative flex min-w-0 flex-1">
      {listOpen ? (
        <>
          <ChatList
            chats={chats.value}
            currentId={id}
            onPick={pick}
            onGone={(gone) => {
              if (gone === id) go('chat')
            }}
          />
          {/* The button that hides it in the header lies below it then. */}
          <button type="button" className="beside-list" aria-label={t('chat.hideList')} onClick={pick} />
        </>
      ) : null}
      {id ? <ConversationView key={id} id={id} list={toggle} /> : <NewChat list={toggle} />}
    </div>
  )
}
