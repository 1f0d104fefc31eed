import { Pause, X } from 'lucide-react'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { IconButton } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'

/** A running download in the row of its model: the table may be long, and the card above it out of sight. */
export function RowDownload({ model: { id, status, progress } }: { model: ModelState }) {
  const { t } = useTexts()
  const format = useFormat()
  const pause = useCall('models.pauseDownload')
  const cancel = useCall('models.cancelDownload')
  if (status === 'verifying') return <span className="text-xs text-ink-2">{t('models.rowChecking')}</span>
  if (status !== 'downloading') return null
  const share = progress?.totalBytes ? (100 * progress.receivedBytes) / progress.totalBytes : undefined
  return (
    <>
      <span className="num text-xs text-ink-2">
        {share === undefined ? t('models.rowLoading') : t('models.rowPercent', { percent: format.percent(Math.floor(share)) })}
      </span>
      <IconButton small label={t('models.pause')} disabled={pause.running} onClick={() => void pause.run({ id })}>
        <Icon of={Pause} />
      </IconButton>
      <IconButton small label={t('action.cancel')} disabled={cancel.running} onClick={() => void cancel.run({ id })}>
        <Icon of={X} />
      </IconButton>
    </>
  )
}
