import { useState } from 'react'
import { useCall } from '../api/use-call.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { useToast } from '../ui/toasts.tsx'

/** Adds a GGUF by its path. The core reads its header before it takes it. */
export function AddFileDialog({ open, onClose }: { open: boolean; onClose(): void }) {
  const { t } = useTexts()
  const toast = useToast()
  const add = useCall('models.addFile')
  const [path, setPath] = useState('')
  const close = (): void => {
    add.clear()
    setPath('')
    onClose()
  }
  return (
    <FormDialog open={open} onOpenChange={close} title={t('models.add')}>
      <p className="text-sm text-ink-2">{t('models.addText')}</p>
      <form
        className="mt-4"
        onSubmit={(event) => {
          event.preventDefault()
          void add.run({ path: path.trim() }).then((model) => {
            if (!model) return
            toast(t('models.added', { model: model.name }))
            close()
          })
        }}
      >
        <label className="flex flex-col gap-1.5 text-sm text-ink-2">
          {t('models.path')}
          <span className="field mono">
            <input
              value={path}
              placeholder={t('models.pathExample')}
              onChange={(event) => setPath(event.target.value)}
              className="text-ink"
            />
          </span>
        </label>
        {add.error ? (
          <div className="mt-3">
            <Refusal error={add.error} />
          </div>
        ) : null}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="primary" type="submit" disabled={path.trim() === '' || add.running}>
            {add.running ? t('models.checking') : t('models.addConfirm')}
          </Button>
        </div>
      </form>
    </FormDialog>
  )
}
