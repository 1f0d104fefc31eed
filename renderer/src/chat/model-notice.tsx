import { Box, CircleAlert, Gauge } from 'lucide-react'
import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { pathTo } from '../app/route.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { LoadAgainButton, StoppedText } from '../models/load-again.tsx'
import { Bar } from '../ui/bar.tsx'
import { Button } from '../ui/button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'

/** Above the composer while no model is on this computer: what comes, or what to do. */
export function ModelNotice({ level }: { level: PrivacyLevel }) {
  const { t } = useTexts()
  const { saidProblem } = useCoreWords()
  const format = useFormat()
  const models = useStream('models.list', {}).value
  const state = useStream('chat.levels', {}).value?.find((one) => one.level === level)
  const { servedBy } = useStream('limits.state', {}).value ?? {}
  // Another computer's engine needs no model here.
  if (level === 'devices' || level === 'external') return null
  if (level === 'computer' && state?.reasonWords?.code === 'engine-yielded') return <YieldedNotice />
  const stopped = models?.find((model) => model.stopped)?.stopped
  const isOwnEngine = level === 'computer' || (level === 'practice' && !servedBy)
  if (stopped && isOwnEngine && state?.state === 'unavailable') return <StoppedNotice stopped={stopped} />
  if (!models || !state || state.state === 'ready' || models.some(({ status }) => status === 'installed')) return null
  const coming = models.find(({ status }) => status === 'downloading' || status === 'verifying')
  const progress = coming?.progress
  const total = progress?.totalBytes
  return (
    <div className="chat-column mb-3">
      <div className="banner banner-plain" role="status">
        <Icon of={Box} size={18} />
        <div className="min-w-0 flex-1">
          <b className="text-ink">{coming ? t('models.coming', { model: coming.name }) : t('models.none')}</b>
          {coming?.problem ? <p>{saidProblem(coming)}</p> : null}
          {coming ? (
            <p className="num">
              {coming.status === 'verifying'
                ? t('models.verifying')
                : progress && total
                  ? t('models.progress', {
                      done: format.bytes(progress.receivedBytes),
                      total: format.bytes(total),
                      rate: format.rate(progress.bytesPerSecond),
                    })
                  : null}
            </p>
          ) : (
            <p>{saidProblem(models.find(({ problem }) => problem)) ?? t('models.noneText')}</p>
          )}
          {progress && total ? (
            <div className="mt-2">
              <Bar percent={(100 * progress.receivedBytes) / total} />
            </div>
          ) : null}
        </div>
        <a className="link flex min-h-7 items-center" href={pathTo('models')}>
          {t('screen.models')}
        </a>
      </div>
    </div>
  )
}

/** While the engine holds no model because it failed. */
function StoppedNotice({ stopped }: { stopped: NonNullable<ModelState['stopped']> }) {
  const { t } = useTexts()
  return (
    <div className="chat-column mb-3">
      <div className="banner banner-plain" role="status">
        <Icon of={CircleAlert} size={18} className="text-danger" />
        <div className="min-w-0 flex-1">
          <b className="text-ink">{t('engine.stopped')}</b>
          <StoppedText stopped={stopped} />
        </div>
        <LoadAgainButton size="sm" />
      </div>
    </div>
  )
}

/** While another program has the memory of the model: its owner may want the answer all the same. */
function YieldedNotice() {
  const { t } = useTexts()
  const useAnyway = useCall('engine.useAnyway')
  return (
    <div className="chat-column mb-3">
      {useAnyway.error ? <Refusal error={useAnyway.error} /> : null}
      <div className="banner banner-plain" role="status">
        <Icon of={Gauge} size={18} />
        <div className="min-w-0 flex-1">
          <b className="text-ink">{t('chat.yielded')}</b>
          <p>{t('chat.yieldedText')}</p>
        </div>
        <Button size="sm" disabled={useAnyway.running} onClick={() => void useAnyway.run({})}>
          {t('chat.useAnyway')}
        </Button>
      </div>
    </div>
  )
}
