import { FolderOpen } from 'lucide-react'
import { useState } from 'react'
import { useStream } from '../api/use-stream.ts'
import { ScreenTitle } from '../app/screen-title.tsx'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { AddFileDialog } from './add-file-dialog.tsx'
import { Downloads } from './downloads.tsx'
import { ModelsTable } from './models-table.tsx'

export function ModelsScreen() {
  const { t } = useTexts()
  const [adding, setAdding] = useState(false)
  const { value: models, error } = useStream('models.list', {})
  return (
    <main className="page" data-region="content">
      <div className="page-inner">
        <div className="page-head">
          <ScreenTitle>{t('screen.models')}</ScreenTitle>
          <Button className="ms-auto" icon={<Icon of={FolderOpen} />} onClick={() => setAdding(true)}>
            {t('models.add')}
          </Button>
        </div>
        {models ? (
          <>
            <Downloads models={models} />
            <ModelsTable models={models} onAdd={() => setAdding(true)} />
            <p className="text-xs text-ink-3">{t('models.note')}</p>
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
