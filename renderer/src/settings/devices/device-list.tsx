import { Laptop, Monitor } from 'lucide-react'
import { useState } from 'react'
import type { PairedDevice } from '../../../../preload/api/devices.ts'
import { useCall } from '../../api/use-call.ts'
import { isolated } from '../../format/plain-label.ts'
import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'
import { useCoreWords } from '../../messages/use-core-words.ts'
import { Button } from '../../ui/button.tsx'
import { ConfirmDialog } from '../../ui/dialog.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Fingerprint } from './fingerprint.tsx'

export function DeviceList({ devices }: { devices: readonly PairedDevice[] }) {
  const { t } = useTexts()
  const remove = useCall('devices.remove')
  const choose = useCall('devices.choose')
  const [removing, setRemoving] = useState<PairedDevice | null>(null)
  const error = remove.error ?? choose.error
  return (
    <section className="card" aria-label={t('devices.paired')}>
      <div className="card-head">
        <h2>{t('devices.paired')}</h2>
      </div>
      {error ? <Refusal error={error} /> : null}
      {devices.length === 0 ? <p className="px-[1.125rem] pb-4 text-sm text-ink-2">{t('devices.none')}</p> : null}
      <ul>
        {devices.map((device) => (
          <li key={device.id} className="setting-row" aria-label={device.name}>
            <Icon of={device.role === 'host' ? Monitor : Laptop} size={20} />
            <DeviceFacts device={device} />
            <div className="flex gap-2">
              {device.role === 'host' && !device.chosen ? (
                <Button size="sm" onClick={() => void choose.run({ id: device.id })}>
                  {t('devices.choose')}
                </Button>
              ) : null}
              <Button
                size="sm"
                kind="danger"
                onClick={() => setRemoving(device)}
                aria-label={t('devices.removeOf', { name: isolated(device.name) })}
              >
                {t('devices.remove')}
              </Button>
            </div>
          </li>
        ))}
      </ul>
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={t('devices.removeTitle', { name: isolated(removing?.name ?? '') })}
        text={t(removing?.role === 'host' ? 'devices.removeHost' : 'devices.removeGuest')}
        confirm={t('devices.remove')}
        cancel={t('action.cancel')}
        danger
        onConfirm={() => {
          if (removing) void remove.run({ id: removing.id })
        }}
      />
    </section>
  )
}

function DeviceFacts({ device }: { device: PairedDevice }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  const seen = device.connected
    ? t('devices.connected')
    : device.lastSeenMs === null
      ? t('devices.neverSeen')
      : t('devices.seen', { time: format.dateTime(device.lastSeenMs) })
  return (
    <div className="min-w-[220px] flex-1">
      <h3 className="flex flex-wrap items-center gap-2">
        {device.name}
        {device.role === 'host' && device.chosen ? <span className="chip min-h-5!">{t('devices.inUse')}</span> : null}
      </h3>
      <Fingerprint words={device.fingerprint} />
      <p className="text-sm text-ink-2">
        {t(device.role === 'host' ? 'devices.isHost' : 'devices.isGuest')} {seen}
      </p>
      {device.problem ? <p className="text-sm text-danger">{said(device.problem, device.problemWords)}</p> : null}
    </div>
  )
}
