import { AlertDialog } from 'radix-ui'
import type { EarnState } from '../../../preload/api/earn.ts'
import { useCall } from '../api/use-call.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { useToast } from '../ui/toasts.tsx'

/** Shows amount, receiver and fee before the payout is sent, and stays until the chain has answered. */
export function SettleDialog({ earn, open, onClose }: { earn: EarnState; open: boolean; onClose(): void }) {
  const { t } = useTexts()
  const format = useFormat()
  const toast = useToast()
  const settle = useCall('earn.settle')

  const close = (): void => {
    settle.clear()
    onClose()
  }
  const send = async (): Promise<void> => {
    const paid = await settle.run({})
    if (!paid) return
    toast(t('payout.settled'), t('settle.received', { amount: format.exact(paid.ownerReceived) }))
    close()
  }

  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => next || settle.running || close()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="scrim z-50" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title className="mb-1.5 text-xl font-semibold">{t('settle.title')}</AlertDialog.Title>
          <AlertDialog.Description className="text-ink-2">{t('settle.text')}</AlertDialog.Description>
          <dl className="facts num mt-3 rounded-md bg-sunken px-4! py-3!">
            <dt>{t('settle.amount')}</dt>
            <dd>
              <b>{format.exact(earn.settleable)}</b>
            </dd>
            <dt>{t('settle.fee')}</dt>
            <dd>{t('settle.about', { amount: format.exact(earn.settleFeeEstimate) })}</dd>
            {earn.ownerAddress ? (
              <>
                <dt>{t('settle.to')}</dt>
                <dd className="mono text-xs">{earn.ownerAddress}</dd>
              </>
            ) : null}
          </dl>
          {settle.error ? (
            <div className="mt-3">
              <Refusal error={settle.error} />
            </div>
          ) : null}
          <p role="status" className="mt-3 min-h-5 text-sm text-ink-2">
            {settle.running ? t('settle.waiting') : ''}
          </p>
          <div className="mt-3 flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel className="btn" disabled={settle.running}>
              {t('action.cancel')}
            </AlertDialog.Cancel>
            <Button kind="primary" disabled={settle.running} onClick={() => void send()}>
              {t('settle.confirm', { amount: format.figure(earn.settleable) })}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
