import { ArrowDownToLine, Pause, Play, X } from 'lucide-react'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Bar } from '../ui/bar.tsx'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'

export function Downloads({ models }: { models: readonly ModelState[] }) {
  const active = models.filter(
    ({ status, receivedBytes }) => status === 'downloading' || status === 'verifying' || receivedBytes !== undefined,
  )
  return active.map((model) => <Download key={model.id} model={model} />)
}

function Download({ model }: { model: ModelState }) {
  const { t } = useTexts()
  const cancel = useCall('models.cancelDownload')
  const pause = useCall('models.pauseDownload')
  const resume = useCall('models.download')
  const { id, progress, receivedBytes } = model
  const isPaused = waits(model)
  const total = progress?.totalBytes ?? (isPaused ? model.sizeBytes : null)
  const received = progress?.receivedBytes ?? receivedBytes ?? 0
  const share = total ? (100 * received) / total : 0
  return (
    <section
      className="card flex items-center gap-4 px-[1.125rem] py-4"
      aria-label={t('models.downloadOf', { model: model.name })}
    >
      <span className="state-icon rounded-md!">
        <Icon of={ArrowDownToLine} size={20} />
      </span>
      <div className="min-w-0 flex-1">
        <p className="num mb-1.5 flex flex-wrap gap-x-2">
          <b>
            <bdi>{model.name}</bdi>
          </b>
          <span className="text-ink-2">
            <DownloadWords model={model} />
          </span>
        </p>
        <div
          role="progressbar"
          aria-label={t('models.downloadOf', { model: model.name })}
          aria-valuemin={0}
          aria-valuemax={100}
          {...(total ? { 'aria-valuenow': Math.floor(share) } : {})}
        >
          <Bar height={8} percent={share} />
        </div>
        <p className="mt-1.5 truncate text-xs text-ink-3">
          {progress ? t('models.source', { source: progress.source }) : null} {t('models.checkedNote')}
        </p>
      </div>
      {model.status === 'verifying' ? null : (
        <span className="flex flex-wrap gap-1">
          {isPaused ? (
            <Button kind="ghost" icon={<Icon of={Play} />} disabled={resume.running} onClick={() => void resume.run({ id })}>
              {t('models.resume')}
            </Button>
          ) : (
            <Button kind="ghost" icon={<Icon of={Pause} />} disabled={pause.running} onClick={() => void pause.run({ id })}>
              {t('models.pause')}
            </Button>
          )}
          <Button kind="ghost" icon={<Icon of={X} />} disabled={cancel.running} onClick={() => void cancel.run({ id })}>
            {t('action.cancel')}
          </Button>
        </span>
      )}
    </section>
  )
}

/** How far it is; a source that does not say how much it sends shows what came. */
export function DownloadWords({ model }: { model: ModelState }) {
  const { t } = useTexts()
  const format = useFormat()
  const { progress, status } = model
  if (status === 'verifying') return t('models.verifying')
  if (waits(model)) return t('models.paused', { done: format.bytes(model.receivedBytes ?? 0) })
  if (!progress || (progress.totalBytes === null && progress.receivedBytes === 0)) return t('models.connecting')
  const { totalBytes, receivedBytes, bytesPerSecond } = progress
  const [done, rate] = [format.bytes(receivedBytes), format.rate(bytesPerSecond)]
  if (totalBytes === null) return t('models.progressOpen', { done, rate })
  const leftMs = bytesPerSecond > 0 ? (1_000 * (totalBytes - receivedBytes)) / bytesPerSecond : null
  const left = leftMs === null ? [] : [t('models.left', { time: format.duration(leftMs) })]
  return [t('models.progress', { done, total: format.bytes(totalBytes), rate }), ...left].join(', ')
}

function waits({ status, receivedBytes }: ModelState): boolean {
  return receivedBytes !== undefined && status !== 'downloading' && status !== 'verifying'
}
