import { FolderOpen, HardDrive, Search } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { ModelStorage } from '../../../preload/api/model-fit.ts'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { ScreenTitle } from '../app/screen-title.tsx'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { Segmented } from '../ui/segmented.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { AddFileDialog } from './add-file-dialog.tsx'
import { Downloads } from './downloads.tsx'
import { filterModels, type ModelFilter, modelFilters } from './model-filter.ts'
import { ModelsTable } from './models-table.tsx'

export function ModelsScreen() {
  const { t } = useTexts()
  const [adding, setAdding] = useState(false)
  const [filter, setFilter] = useState<ModelFilter>('all')
  const [words, setWords] = useState('')
  const { value: models, error } = useStream('models.list', {})
  return (
    <main className="page" data-region="content">
      <div className="page-inner">
        <div className="page-head">
          <ScreenTitle>{t('screen.models')}</ScreenTitle>
          <label className="field ms-auto w-[260px]">
            <Icon of={Search} />
            <span className="sr-only">{t('models.find')}</span>
            <input
              type="search"
              value={words}
              placeholder={t('models.find')}
              onChange={(event) => setWords(event.target.value)}
            />
          </label>
          <Button icon={<Icon of={FolderOpen} />} onClick={() => setAdding(true)}>
            {t('models.add')}
          </Button>
        </div>
        {models ? (
          <>
            <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
              <Segmented<ModelFilter>
                label={t('models.filter')}
                value={filter}
                options={modelFilters.map((value) => ({ value, label: t(`models.filter.${value}`) }))}
                onChange={setFilter}
              />
              <DiskUse models={models} />
            </div>
            <Downloads models={models} />
            <ModelsTable
              models={filterModels(models, filter, words)}
              nothing={models.length === 0}
              onAdd={() => setAdding(true)}
            />
            <div className="flex flex-wrap items-center gap-x-5 gap-y-1 text-xs text-ink-3">
              <span className="flex items-center gap-1.5">
                <i className="legend" aria-hidden="true" />
                {t('fit.weights')}
              </span>
              <span className="flex items-center gap-1.5">
                <i className="legend" data-part="2" aria-hidden="true" />
                {t('fit.context')}
              </span>
              <p>{t('models.note')}</p>
            </div>
          </>
        ) : error ? (
          <Refusal error={error} />
        ) : (
          <Skeleton awaited={t('models.loading')} />
        )}
      </div>
      <AddFileDialog open={adding} onClose={() => setAdding(false)} />
    </main>
  )
}

/** Asked again when a model came or went: in between nothing on the disk is ours. */
function DiskUse({ models }: { models: readonly ModelState[] }) {
  const { t } = useTexts()
  const format = useFormat()
  const { run } = useCall('models.storage')
  const [use, setUse] = useState<ModelStorage>()
  const here = models.map(({ id, path, receivedBytes }) => `${id} ${path} ${receivedBytes}`).join()
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is here is the reason to ask again
  useEffect(() => {
    void run({}).then((found) => found && setUse(found))
  }, [here, run])
  if (!use) return null
  return (
    <p className="num ms-auto flex items-center gap-1.5 text-sm text-ink-2" title={use.folder}>
      <Icon of={HardDrive} size={15} />
      {use.freeBytes === null
        ? t('models.diskUsed', { used: format.bytes(use.usedBytes) })
        : t('models.disk', { used: format.bytes(use.usedBytes), free: format.bytes(use.freeBytes) })}
    </p>
  )
}
