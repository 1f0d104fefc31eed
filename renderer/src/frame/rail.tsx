import { Box, type LucideIcon, MessageSquare, Settings2, TrendingUp, Wallet, Waypoints } from 'lucide-react'
import { useLinkStatus } from '../api/api-context.tsx'
import { useStream } from '../api/use-stream.ts'
import { pathTo, type ScreenName, screens } from '../app/route.ts'
import { earnTile, earnTone, glyphOf } from '../earn/earn-words.ts'
import { useTexts } from '../messages/texts.tsx'
import { Icon } from '../ui/icon.tsx'
import { TrayGlyph } from './mark.tsx'

export const screenIcons: Record<ScreenName, LucideIcon> = {
  chat: MessageSquare,
  earn: TrendingUp,
  models: Box,
  wallet: Wallet,
  network: Waypoints,
  settings: Settings2,
}

export function Rail({ screen, lastChat }: { screen: ScreenName; lastChat: string | undefined }) {
  const { t } = useTexts()
  return (
    <nav className="rail" aria-label={t('rail.label')} data-region="rail">
      {screens.map((name, index) => (
        <a
          key={name}
          href={pathTo(name, name === 'chat' ? lastChat : undefined)}
          className="rail-item"
          aria-current={name === screen ? 'page' : undefined}
          aria-keyshortcuts={`Control+${index + 1}`}
        >
          <Icon of={screenIcons[name]} size={20} />
          <span>{t(`screen.${name}`)}</span>
        </a>
      ))}
      <div className="flex-1" />
      <NodeTile />
    </nav>
  )
}

function NodeTile() {
  const { t, language } = useTexts()
  const state = useStream('earn.state', {}).value
  // What is not heard is not said.
  const earn = useLinkStatus() === 'open' ? state : undefined
  const tone = earnTone(earn)
  const word = earn ? earnTile(earn, t, language) : t('earn.tile.starting')
  return (
    <a href={pathTo('earn')} className="node-tile" data-tone={tone} aria-label={t('rail.node', { state: word })}>
      <span className={tone === 'earning' ? 'breathing' : ''}>
        <TrayGlyph kind={glyphOf(earn)} />
      </span>
      <span>{word}</span>
    </a>
  )
}
