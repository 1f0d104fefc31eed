import { useEffect, useState } from 'react'
import { useApi } from '../api/api-context.tsx'
import { useStream } from '../api/use-stream.ts'
import { useKeys } from '../app/keys.ts'
import { go } from '../app/route.ts'
import { ChatList } from './chat-list.tsx'
import { ConversationView } from './conversation-view.tsx'
import { NewChat } from './new-chat.tsx'

const wide = (): boolean => innerWidth >= 1100

/** List and conversation. Below 1100 px the list is an overlay, closed until asked for. */
export function ChatScreen({ id }: { id: string | undefined }) {
  const [listOpen, setListOpen] = useState(wide)
  const chats = useStream('chat.list', {})
  const api = useApi()
  useEffect(() => {
    // Without the core there is nothing to check; the next focus asks again.
    const tell = (): void => void api.call('chat.focused', {}).catch(() => undefined)
    addEventListener('focus', tell)
    return () => removeEventListener('focus', tell)
  }, [api])
  useKeys({
    'Mod+B': () => setListOpen((open) => !open) as undefined,
    'Mod+F': () => {
      setListOpen(true)
      requestAnimationFrame(() => document.querySelector<HTMLInputElement>('[data-region="list"] input')?.focus())
      return undefined
    },
  })
  const pick = (): void => {
    if (!wide()) setListOpen(false)
  }
  const toggle = { open: listOpen, toggle: () => setListOpen(!listOpen) }
  return (
    <div className="relative flex min-w-0 flex-1">
      {listOpen ? (
        <ChatList
          chats={chats.value}
          currentId={id}
          onPick={pick}
          onGone={(gone) => {
            if (gone === id) go('chat')
          }}
        />
      ) : null}
      {id ? <ConversationView key={id} id={id} list={toggle} /> : <NewChat list={toggle} />}
    </div>
  )
}
