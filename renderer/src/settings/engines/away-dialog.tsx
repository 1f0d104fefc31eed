import type { ApiError } from '../../../../preload/api/contract.ts'
import { useTexts } from '../../messages/texts.tsx'
import { useCoreWords } from '../../messages/use-core-words.ts'
import { ConfirmDialog } from '../../ui/dialog.tsx'

interface AwayDialogProps {
  /** What the core answered; it is asked about only where that is the want of a consent. */
  error: ApiError | null
  onLeave(): void
  onConfirm(): void
}

/** Messages would leave this computer: the core wants to know that the user read it. */
export function AwayDialog({ error, onLeave, onConfirm }: AwayDialogProps) {
  const { t } = useTexts()
  const { saidError } = useCoreWords()
  const asks = error?.code === 'needs-consent'
  return (
    <ConfirmDialog
      open={asks}
      onOpenChange={onLeave}
      title={t('engines.awayTitle')}
      text={asks ? `${saidError(error)} ${t('engines.awayText')}` : ''}
      confirm={t('engines.awayConfirm')}
      cancel={t('action.cancel')}
      onConfirm={onConfirm}
    />
  )
}
