import { useEffect, useState } from 'react'
import type { DevicesState } from '../../../../preload/api/devices.ts'
import { useCall } from '../../api/use-call.ts'
import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Button } from '../../ui/button.tsx'
import { CopyButton } from '../../ui/copy-button.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Segmented } from '../../ui/segmented.tsx'
import { Fingerprint } from './fingerprint.tsx'
import { QrPicture } from './qr-picture.tsx'

/** This computer as a host: the switch, its name and fingerprint, and a code for one new device. */
export function SharingCard({ state }: { state: DevicesState }) {
  const { t } = useTexts()
  const share = useCall('devices.share')
  const open = useCall('devices.openCode')
  const error = share.error ?? open.error
  return (
    <section className="card" aria-label={t('devices.this')}>
      <div className="setting-row">
        <div className="min-w-[220px] flex-1">
          <h2>{t('devices.share')}</h2>
          <p className="text-sm text-ink-2">{t('devices.shareText')}</p>
        </div>
        <Segmented<'on' | 'off'>
          label={t('devices.share')}
          value={state.sharing ? 'on' : 'off'}
          options={[
            { value: 'on', label: t('devices.on') },
            { value: 'off', label: t('devices.off') },
          ]}
          onChange={(value) => void share.run({ on: value === 'on' })}
        />
      </div>
      <NameRow name={state.name} />
      <div className="setting-row">
        <div className="min-w-[220px] flex-1">
          <h3>{t('devices.fingerprint')}</h3>
          <Fingerprint words={state.fingerprint} />
        </div>
      </div>
      {state.sharing ? (
        <div className="setting-row">
          <div className="min-w-[220px] flex-1">
            <h3>{t('devices.addresses')}</h3>
            <ul className="mono text-xs text-ink-2">
              {state.addresses.map((address) => (
                <li key={address} data-testid="own-address">
                  {address}
                </li>
              ))}
            </ul>
          </div>
          {state.code ? null : (
            <Button kind="primary" disabled={open.running} onClick={() => void open.run({})}>
              {t('devices.pair')}
            </Button>
          )}
        </div>
      ) : null}
      {state.code ? <CodeRow code={state.code} /> : null}
      {error ? (
        <div className="px-[1.125rem] py-3">
          <Refusal error={error} />
        </div>
      ) : null}
    </section>
  )
}

function NameRow({ name }: { name: string }) {
  const { t } = useTexts()
  const rename = useCall('devices.rename')
  const [text, setText] = useState(name)
  useEffect(() => setText(name), [name])
  return (
    <form
      className="setting-row"
      onSubmit={(event) => {
        event.preventDefault()
        if (text.trim() !== '' && text.trim() !== name) void rename.run({ name: text.trim() })
      }}
    >
      <label className="flex min-w-[220px] flex-1 flex-col gap-1.5 text-sm text-ink-2">
        {t('devices.name')}
        <span className="field">
          <input value={text} maxLength={40} onChange={(event) => setText(event.target.value)} className="text-ink" />
        </span>
      </label>
      <Button type="submit" className="self-end" disabled={text.trim() === '' || text.trim() === name || rename.running}>
        {t('devices.rename')}
      </Button>
      {rename.error ? <Refusal error={rename.error} /> : null}
    </form>
  )
}

function CodeRow({ code }: { code: NonNullable<DevicesState['code']> }) {
  const { t } = useTexts()
  const format = useFormat()
  const close = useCall('devices.closeCode')
  const left = useRestMs(code.expiresAtMs)
  return (
    <section className="setting-row items-start!" aria-label={t('devices.code')}>
      <QrPicture rows={code.qr} label={t('devices.qr')} />
      <div className="flex min-w-[220px] flex-1 flex-col gap-2">
        <h3>{t('devices.code')}</h3>
        <p className="text-lg font-semibold" data-testid="pairing-words">
          {code.words}
        </p>
        <p className="text-sm text-ink-2">{t('devices.codeText')}</p>
        <p className="num text-sm text-ink-2">{t('devices.codeLeft', { time: format.duration(left), tries: code.triesLeft })}</p>
        <div className="flex flex-wrap gap-2">
          <CopyButton withWord value={code.text} label={t('devices.copyCode')} />
          <Button onClick={() => void close.run({})}>{t('devices.closeCode')}</Button>
        </div>
      </div>
    </section>
  )
}

/** Milliseconds until then, a second at a time. */
function useRestMs(untilMs: number): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  return Math.max(0, untilMs - now)
}
