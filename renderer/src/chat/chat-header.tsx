import { Box, ChevronDown, Ellipsis, PanelLeft } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import type { ReactNode } from 'react'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { go } from '../app/route.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { IconButton } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'

export interface ListToggle {
  readonly open: boolean
  toggle(): void
}

interface ChatHeaderProps {
  title: string
  model: string | undefined
  list: ListToggle
  menu?: (trigger: ReactNode) => ReactNode
}

export function ChatHeader({ title, model, list, menu }: ChatHeaderProps) {
  const { t } = useTexts()
  return (
    <header className="chat-head">
      <span className={list.open ? 'min-[1100px]:hidden' : ''}>
        <IconButton label={list.open ? t('chat.hideList') : t('chat.showList')} aria-expanded={list.open} onClick={list.toggle}>
          <Icon of={PanelLeft} size={18} />
        </IconButton>
      </span>
      <h1 tabIndex={-1} dir="auto" className="min-w-0 flex-1 truncate text-left">
        {title}
      </h1>
      <ModelMenu model={model} />
      {menu?.(
        <IconButton label={t('chat.menu')}>
          <Icon of={Ellipsis} size={18} />
        </IconButton>,
      )}
    </header>
  )
}

function ModelMenu({ model }: { model: string | undefined }) {
  const { t } = useTexts()
  const format = useFormat()
  const models = useStream('models.list', {}).value?.filter(({ status }) => status === 'installed') ?? []
  const use = useCall('models.use')
  const used = models.find(({ loaded }) => loaded)
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger
        className="btn btn-ghost max-w-[16rem]"
        aria-label={t('chat.modelMenu', { model: model ?? t('chat.noModel') })}
      >
        <Icon of={Box} />
        <span className="truncate">{model ?? t('chat.noModel')}</span>
        <Icon of={ChevronDown} size={14} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
          <DropdownMenu.RadioGroup value={used?.id ?? ''} onValueChange={(id) => void use.run({ id })}>
            {models.map((one) => (
              <DropdownMenu.RadioItem key={one.id} value={one.id} className="menu-item">
                <span className="flex-1">{one.name}</span>
                <span className="num text-xs text-ink-3">
                  {one.id === used?.id
                    ? t('models.inUse')
                    : one.tokensPerSecond === undefined
                      ? null
                      : format.speed(one.tokensPerSecond)}
                </span>
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
          <DropdownMenu.Item className="menu-item" onSelect={() => go('models')}>
            {t('chat.allModels')}
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
