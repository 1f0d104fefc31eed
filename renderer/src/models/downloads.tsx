import { ArrowDownToLine, X } from 'lucide-react'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Bar } from '../ui/bar.tsx'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'

export function Downloads({ models }: { models: readonly ModelState[] }) {
  const active = models.filter(({ status }) => status === 'downloading' || status === 'verifying')
  return active.map((model) => <Download key={model.id} model={model} />)
}

function Download({ model }: { model: ModelState }) {
  const { t } = useTexts()
  const format = useFormat()
  const cancel = useCall('models.cancelDownload')
  const { progress } = model
  const total = progress?.totalBytes ?? null
  const leftMs =
    progress && total !== null && progress.bytesPerSecond > 0
      ? (1_000 * (total - progress.receivedBytes)) / progress.bytesPerSecond
      : null
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
            {model.status === 'verifying'
              ? t('models.verifying')
              : progress && total !== null
                ? [
                    t('models.progress', {
                      done: format.bytes(progress.receivedBytes),
                      total: format.bytes(total),
                      rate: format.rate(progress.bytesPerSecond),
                    }),
                    ...(leftMs === null ? [] : [t('models.left', { time: format.duration(leftMs) })]),
                  ].join(', ')
                : t('models.connecting')}
          </span>
        </p>
        <div
          role="progressbar"
          aria-label={t('models.downloadOf', { model: model.name })}
          aria-valuemin={0}
          aria-valuemax={100}
          {...(progress && total ? { 'aria-valuenow': Math.floor((100 * progress.receivedBytes) / total) } : {})}
        >
          <Bar height={8} percent={progress && total ? (100 * progress.receivedBytes) / total : 0} />
        </div>
        <p className="mt-1.5 truncate text-xs text-ink-3">
          {progress ? t('models.source', { source: progress.source }) : null} {t('models.checkedNote')}
        </p>
      </div>
      {model.status === 'downloading' ? (
        <Button kind="ghost" icon={<Icon of={X} />} disabled={cancel.running} onClick={() => void cancel.run({ id: model.id })}>
          {t('action.cancel')}
        </Button>
      ) : null}
    </section>
  )
}
