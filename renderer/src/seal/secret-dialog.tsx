import { AlertDialog } from 'radix-ui'
import { useRef } from 'react'
import type { ApiError } from '../../../preload/api/contract.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'

interface SecretDialogProps {
  /** Why the message is held; null while none is. */
  held: ApiError | null
  onEdit(): void
  onSend(): void
}

/** A message for the Open network that looks like it holds a secret. The focus starts on Edit. */
export function SecretDialog({ held, onEdit, onSend }: SecretDialogProps) {
  const { t } = useTexts()
  const { saidError } = useCoreWords()
  const edit = useRef<HTMLButtonElement>(null)
  return (
    <AlertDialog.Root open={held !== null} onOpenChange={(open) => open || onEdit()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="scrim z-50" />
        <AlertDialog.Content
          className="dialog"
          onOpenAutoFocus={(event) => {
            event.preventDefault()
            edit.current?.focus()
          }}
        >
          <AlertDialog.Title className="mb-1.5 text-xl font-semibold">{t('secret.title')}</AlertDialog.Title>
          <AlertDialog.Description className="text-ink-2">
            {held ? saidError(held) : ''} {t('secret.text')}
          </AlertDialog.Description>
          <div className="mt-5 flex flex-wrap justify-end gap-2">
            <AlertDialog.Action className="btn btn-open" onClick={onSend}>
              {t('secret.send')}
            </AlertDialog.Action>
            <AlertDialog.Cancel ref={edit} className="btn" onClick={onEdit}>
              {t('secret.edit')}
            </AlertDialog.Cancel>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
