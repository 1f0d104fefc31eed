import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Segmented } from '../ui/segmented.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { ModelFolder } from './model-folder.tsx'
import { ModelMirror } from './model-mirror.tsx'

/** Bytes a second; 0 stands for no limit. */
const limits = [0, 1_000_000, 5_000_000, 20_000_000] as const

/** Where the models lie, how fast they may be downloaded, and from where. */
export function ModelStorage() {
  const { t } = useTexts()
  const format = useFormat()
  const { value, error } = useStream('settings', {})
  const set = useCall('settings.set')
  if (!value) return error ? <Refusal error={error} /> : <Skeleton awaited={t('settings.loading')} lines={2} />
  const now = value.downloadBytesPerSecond ?? 0
  return (
    <>
      {set.error ? <Refusal error={set.error} /> : null}
      <section className="card">
        <div className="setting-row">
          <div className="min-w-[220px] flex-1">
            <h2>{t('settings.download.name')}</h2>
            <p className="text-sm text-ink-2">{t('settings.download.text')}</p>
          </div>
          <Segmented
            label={t('settings.download.name')}
            value={String(now)}
            options={limits.map((limit) => ({
              value: String(limit),
              label: limit === 0 ? t('settings.download.none') : format.rate(limit),
            }))}
            onChange={(limit) => void set.run({ downloadBytesPerSecond: Number(limit) || null })}
          />
        </div>
      </section>
      <ModelFolder />
      <ModelMirror key={value.modelMirror} mirror={value.modelMirror ?? null} />
    </>
  )
}
