import { Copy, Download, type LucideIcon, MessageSquare, Moon, Pause, Play, SquarePen, Sun, SunMoon } from 'lucide-react'
import { useMemo } from 'react'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { shownKeys } from '../app/keys.ts'
import { go, screens, useRoute } from '../app/route.ts'
import { exportChat } from '../chat/export-chat.ts'
import { useTexts } from '../messages/texts.tsx'
import { levelName, levelOrder } from '../seal/level.ts'
import { wishLevel } from '../seal/use-level-choice.ts'
import { copyText } from '../ui/clipboard.ts'
import { screenIcons } from './rail.tsx'

export type CommandGroup = 'actions' | 'chats' | 'models' | 'settings'

export interface Command {
  readonly id: string
  readonly group: CommandGroup
  readonly label: string
  readonly icon: LucideIcon
  readonly keys?: string | undefined
  run(): void
}

/** Every action that exists now. Never here: anything that sends Toncoin. */
export function useCommands(): readonly Command[] {
  const { t } = useTexts()
  const route = useRoute()
  const earn = useStream('earn.state', {}).value
  const chats = useStream('chat.list', {}).value
  const models = useStream('models.list', {}).value
  const wallet = useStream('wallet.state', {}).value
  const api = useStream('gateway.state', {}).value
  const { run: pause } = useCall('earn.pause')
  const { run: resume } = useCall('earn.resume')
  const { run: setSettings } = useCall('settings.set')
  const { run: exportCall } = useCall('chat.export')
  const { run: chooseModel } = useCall('models.use')

  return useMemo(() => {
    const chatId = route.screen === 'chat' ? route.part : undefined
    const current = chats?.find(({ id }) => id === chatId)
    const commands: Command[] = [
      {
        id: 'new-chat',
        group: 'actions',
        label: t('action.newChat'),
        icon: SquarePen,
        keys: shownKeys('Mod+N'),
        run: () => go('chat'),
      },
    ]
    if (earn?.status === 'paused' && !earn.pause) {
      const run = (): void => void resume({})
      commands.push({
        id: 'resume',
        group: 'actions',
        label: t('command.resume'),
        icon: Play,
        keys: shownKeys('Mod+Shift+P'),
        run,
      })
    } else if (earn) {
      const run = (): void => void pause({})
      commands.push({
        id: 'pause',
        group: 'actions',
        label: t('command.pause'),
        icon: Pause,
        keys: shownKeys('Mod+Shift+P'),
        run,
      })
    }
    if (current) {
      for (const [index, level] of levelOrder.entries()) {
        if (level === current.level) continue
        const run = (): void => wishLevel(level)
        const label = t('command.switchLevel', { level: t(levelName[level]) })
        commands.push({
          id: `level-${level}`,
          group: 'actions',
          label,
          icon: MessageSquare,
          keys: shownKeys(`Alt+${index + 1}`),
          run,
        })
      }
      const run = (): void => void exportChat(current.id, exportCall)
      commands.push({ id: 'export', group: 'actions', label: t('command.export'), icon: Download, run })
    }
    for (const [index, screen] of screens.entries()) {
      commands.push({
        id: `go-${screen}`,
        group: 'actions',
        label: t('command.go', { screen: t(`screen.${screen}`) }),
        icon: screenIcons[screen],
        keys: shownKeys(`Mod+${index + 1}`),
        run: () => go(screen),
      })
    }
    const address = wallet?.user?.address
    if (address) {
      const run = (): void => void copyText(address)
      commands.push({ id: 'copy-address', group: 'actions', label: t('command.copyAddress'), icon: Copy, run })
    }
    if (api?.status === 'listening') {
      const run = (): void => void copyText(api.url)
      commands.push({ id: 'copy-api', group: 'actions', label: t('command.copyApi'), icon: Copy, run })
    }
    for (const chat of chats ?? []) {
      commands.push({
        id: `chat-${chat.id}`,
        group: 'chats',
        label: chat.title,
        icon: MessageSquare,
        run: () => go('chat', chat.id),
      })
    }
    for (const model of models ?? []) {
      if (model.status !== 'installed' || model.loaded) continue
      const run = (): void => void chooseModel({ id: model.id })
      commands.push({
        id: `model-${model.id}`,
        group: 'models',
        label: t('command.useModel', { model: model.name }),
        icon: screenIcons.models,
        run,
      })
    }
    const themes = { system: SunMoon, light: Sun, dark: Moon } as const
    for (const theme of ['system', 'light', 'dark'] as const) {
      const label = t('command.theme', { theme: t(`theme.${theme}`) })
      commands.push({
        id: `theme-${theme}`,
        group: 'settings',
        label,
        icon: themes[theme],
        run: () => void setSettings({ theme }),
      })
    }
    for (const section of ['limits', 'api', 'devices', 'appearance', 'language', 'about'] as const) {
      const label = t('command.settings', { section: t(`settings.${section}`) })
      commands.push({
        id: `settings-${section}`,
        group: 'settings',
        label,
        icon: screenIcons.settings,
        run: () => go('settings', section),
      })
    }
    return commands
  }, [t, route, earn, chats, models, wallet, api, pause, resume, setSettings, exportCall, chooseModel])
}
