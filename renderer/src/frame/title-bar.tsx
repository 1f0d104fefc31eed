import { Search } from 'lucide-react'
import { useAnswer } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { shownKeys } from '../app/keys.ts'
import { useTexts } from '../messages/texts.tsx'
import { NetworkChip } from '../network/network-chip.tsx'
import { Icon } from '../ui/icon.tsx'
import { Mark } from './mark.tsx'

export function TitleBar({ onPalette }: { onPalette(): void }) {
  const { t } = useTexts()
  const info = useAnswer('app.info', {})
  const network = useStream('network.state', {}).value
  return (
    <header className="title-bar" data-shell={info?.shell} data-platform={info?.platform}>
      <span className="flex items-center gap-2 text-sm">
        <Mark className="text-accent" />
        <b>{t('app.name')}</b>
      </span>
      <button type="button" className="palette-field" onClick={onPalette} aria-keyshortcuts="Control+K">
        <Icon of={Search} size={14} />
        <span className="flex-1 truncate text-start">{t('palette.field')}</span>
        <kbd>{shownKeys('Mod+K')}</kbd>
      </button>
      {network ? <NetworkChip network={network} /> : null}
    </header>
  )
}
