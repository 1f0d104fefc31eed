import { AlertDialog } from 'radix-ui'
import type { DevicesState } from '../../../../preload/api/devices.ts'
import { useCall } from '../../api/use-call.ts'
import { isolated } from '../../format/plain-label.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Button } from '../../ui/button.tsx'
import { Fingerprint } from './fingerprint.tsx'

interface RequestProps {
  request: NonNullable<DevicesState['request']>
  /** This device's fingerprint, which the other side's person sees. */
  own: string
}

/** The other device knows the words. Both people say that it is the right one. Pressing outside or Esc answers nothing; Enter declines. */
export function RequestDialog({ request, own }: RequestProps) {
  const { t } = useTexts()
  const confirm = useCall('devices.confirm')
  const { role } = request
  const name = isolated(request.name)
  return (
    <AlertDialog.Root open>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="scrim z-50" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title className="mb-1.5 text-xl font-semibold">{t('devices.requestTitle', { name })}</AlertDialog.Title>
          <AlertDialog.Description className="text-ink-2">
            {t(role === 'guest' ? 'devices.requestGuest' : 'devices.requestHost', { name })}
          </AlertDialog.Description>
          <div className="mt-4 flex flex-col gap-3 rounded-md bg-sunken px-4 py-3 text-sm">
            <div>
              {t('devices.requestTheirs', { name })}
              <Fingerprint words={request.fingerprint} />
            </div>
            <div>
              {t('devices.requestOwn')}
              <Fingerprint words={own} />
            </div>
          </div>
          <p className="mt-3 text-sm text-ink-2">{t('devices.requestCompare')}</p>
          {request.state === 'waiting' ? (
            <p className="mt-4 text-sm" role="status">
              {t('devices.requestWaiting', { name })}
            </p>
          ) : (
            <div className="mt-5 flex flex-wrap justify-end gap-2">
              <AlertDialog.Cancel className="btn" onClick={() => void confirm.run({ request: request.id, accept: false })}>
                {t('devices.decline')}
              </AlertDialog.Cancel>
              <Button
                kind="primary"
                disabled={confirm.running}
                onClick={() => void confirm.run({ request: request.id, accept: true })}
              >
                {t('devices.accept')}
              </Button>
            </div>
          )}
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
