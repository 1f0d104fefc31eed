import { Ellipsis, Search, SquarePen } from 'lucide-react'
import { useState } from 'react'
import type { ConversationSummary } from '../../../preload/api/chat.ts'
import { shownKeys } from '../app/keys.ts'
import { go, pathTo } from '../app/route.ts'
import { useTexts } from '../messages/texts.tsx'
import { levelName } from '../seal/level.ts'
import { LevelGlyph } from '../seal/seal-glyph.tsx'
import { Button, IconButton } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { ChatMenu } from './chat-menu.tsx'
import { groupChats } from './list-groups.ts'

interface ChatListProps {
  chats: readonly ConversationSummary[] | undefined
  currentId: string | undefined
  onPick(): void
  onGone(id: string): void
}

export function ChatList({ chats, currentId, onPick, onGone }: ChatListProps) {
  const { t } = useTexts()
  const [query, setQuery] = useState('')
  const groups = groupChats(chats ?? [], query, Date.now())
  return (
    <aside className="chat-list" aria-label={t('chat.list')} data-region="list">
      <div className="px-1 pb-1.5">
        <Button
          className="w-full justify-start!"
          icon={<Icon of={SquarePen} />}
          onClick={() => {
            go('chat')
            onPick()
          }}
        >
          <span className="flex-1 text-start">{t('action.newChat')}</span>
          <kbd>{shownKeys('Mod+N')}</kbd>
        </Button>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto px-px pb-2">
        {groups.map(({ group, chats: own }) => (
          <section key={group} aria-labelledby={`group-${group}`}>
            <h2 id={`group-${group}`} className="px-2.5 pt-3.5 pb-1 text-xs font-normal! text-ink-3">
              {t(`chat.group.${group}`)}
            </h2>
            <ul className="flex flex-col gap-px">
              {own.map((chat) => (
                <Row key={chat.id} chat={chat} current={chat.id === currentId} onPick={onPick} onGone={onGone} />
              ))}
            </ul>
          </section>
        ))}
        {chats && groups.length === 0 ? (
          <p className="px-2.5 pt-4 text-sm text-ink-3">{query.trim() ? t('chat.noneFound') : t('chat.noneYet')}</p>
        ) : null}
      </div>
      <div className="flex min-h-9 flex-none items-center gap-2 rounded-sm px-2 text-sm text-ink-3 focus-within:shadow-[var(--focus)]">
        <Icon of={Search} />
        <input
          type="search"
          className="min-w-0 flex-1 bg-transparent text-ink focus-visible:shadow-none"
          aria-label={t('chat.search')}
          placeholder={t('chat.search')}
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setQuery('')
          }}
        />
        <kbd>{shownKeys('Mod+F')}</kbd>
      </div>
    </aside>
  )
}

interface RowProps {
  chat: ConversationSummary
  current: boolean
  onPick(): void
  onGone(id: string): void
}

function Row({ chat, current, onPick, onGone }: RowProps) {
  const { t } = useTexts()
  return (
    <li className="chat-row" data-current={current}>
      <a href={pathTo('chat', chat.id)} aria-current={current ? 'page' : undefined} onClick={onPick} title={chat.title}>
        <span dir="auto" className="min-w-0 flex-1 truncate text-left">
          {chat.title}
        </span>
        <span className={chat.widestLevel === 'open' ? 'text-open' : 'text-ink-3'} title={t(levelName[chat.widestLevel])}>
          <LevelGlyph level={chat.widestLevel} />
          <span className="sr-only">{t(levelName[chat.widestLevel])}</span>
        </span>
      </a>
      <ChatMenu
        chat={chat}
        onGone={onGone}
        trigger={
          <IconButton small className="row-menu" label={t('chat.menuOf', { title: chat.title })}>
            <Icon of={Ellipsis} />
          </IconButton>
        }
      />
    </li>
  )
}
