import { Search } from 'lucide-react'
import { Dialog } from 'radix-ui'
import { useEffect, useId, useRef, useState } from 'react'
import { useTexts } from '../messages/texts.tsx'
import { Icon } from '../ui/icon.tsx'
import { type Command, type CommandGroup, useCommands } from './commands.ts'
import { matchAt, recentFirst, withRecent } from './palette-match.ts'

const groups: readonly CommandGroup[] = ['actions', 'chats', 'models', 'settings']
const mostOfAGroup = 12

export function Palette({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  const { t } = useTexts()
  const [recent, setRecent] = useState<readonly string[]>([])
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim z-80 opacity-60" />
        <Dialog.Content className="palette" aria-describedby={undefined}>
          <Dialog.Title className="sr-only">{t('palette.title')}</Dialog.Title>
          <PaletteList
            recent={recent}
            onRun={(command) => {
              setRecent((last) => withRecent(last, command.id))
              onOpenChange(false)
              command.run()
            }}
          />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function PaletteList({ recent, onRun }: { recent: readonly string[]; onRun(command: Command): void }) {
  const { t } = useTexts()
  const commands = useCommands()
  const [query, setQuery] = useState('')
  const [index, setIndex] = useState(0)
  const listId = useId()
  const list = useRef<HTMLDivElement>(null)

  const ordered = query.trim() === '' ? recentFirst(commands, recent) : commands
  const found = groups.flatMap((group) =>
    ordered.filter((command) => command.group === group && matchAt(command.label, query) !== null).slice(0, mostOfAGroup),
  )
  const chosen = found[Math.min(index, found.length - 1)]
  const optionId = (command: Command): string => `${listId}-${command.id}`

  useEffect(() => {
    if (chosen) list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
  }, [chosen])

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined && found.length > 0) {
      event.preventDefault()
      setIndex((Math.min(index, found.length - 1) + step + found.length) % found.length)
    } else if (event.key === 'Enter' && chosen && !event.nativeEvent.isComposing) {
      event.preventDefault()
      onRun(chosen)
    }
  }

  return (
    <>
      <div className="flex h-[54px] flex-none items-center gap-3 border-b border-line px-[1.125rem] text-lg">
        <Icon of={Search} size={18} />
        <input
          className="min-w-0 flex-1 bg-transparent focus-visible:shadow-none"
          role="combobox"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={chosen ? optionId(chosen) : undefined}
          aria-label={t('palette.field')}
          placeholder={t('palette.field')}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value)
            setIndex(0)
          }}
          onKeyDown={onKeyDown}
        />
        <kbd>Esc</kbd>
      </div>
      <div ref={list} id={listId} role="listbox" aria-label={t('palette.title')} className="min-h-0 flex-1 overflow-y-auto pb-2">
        {groups.map((group) => {
          const own = found.filter((command) => command.group === group)
          return own.length === 0 ? null : (
            // biome-ignore lint/a11y/useSemanticElements: a group of options inside a listbox has no element of its own
            <div key={group} role="group" aria-label={t(`palette.${group}`)}>
              <div className="px-[1.125rem] pt-3 pb-1 text-xs text-ink-3" aria-hidden="true">
                {t(`palette.${group}`)}
              </div>
              {own.map((command) => (
                // biome-ignore lint/a11y/useKeyWithClickEvents: the keys of a combobox belong to its field
                <div
                  key={command.id}
                  id={optionId(command)}
                  role="option"
                  tabIndex={-1}
                  aria-selected={command === chosen}
                  className="palette-row"
                  onClick={() => onRun(command)}
                  onMouseMove={() => setIndex(found.indexOf(command))}
                >
                  <Icon of={command.icon} />
                  <Marked label={command.label} query={query} />
                  {command.keys ? <kbd>{command.keys}</kbd> : null}
                </div>
              ))}
            </div>
          )
        })}
        {found.length === 0 ? <p className="px-[1.125rem] pt-4 pb-2 text-ink-2">{t('palette.nothing')}</p> : null}
      </div>
      <div className="flex flex-none items-center gap-4 border-t border-line px-[1.125rem] py-2.5 text-xs text-ink-3">
        <span>
          <kbd>↑</kbd> <kbd>↓</kbd> {t('palette.choose')}
        </span>
        <span>
          <kbd>Enter</kbd> {t('palette.run')}
        </span>
        <span className="ms-auto" role="status">
          {t('palette.results', { n: found.length })}
        </span>
      </div>
    </>
  )
}

function Marked({ label, query }: { label: string; query: string }) {
  const at = matchAt(label, query)
  const length = query.trim().length
  if (at === null || length === 0)
    return (
      <span dir="auto" className="min-w-0 flex-1 truncate">
        {label}
      </span>
    )
  return (
    <span dir="auto" className="min-w-0 flex-1 truncate">
      {label.slice(0, at)}
      <mark>{label.slice(at, at + length)}</mark>
      {label.slice(at + length)}
    </span>
  )
}
