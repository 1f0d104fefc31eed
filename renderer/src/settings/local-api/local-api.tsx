import { KeyRound } from 'lucide-react'
import { useState } from 'react'
import type { GatewayKey, GatewayState } from '../../../../preload/api/gateway.ts'
import { useCall } from '../../api/use-call.ts'
import { useStream } from '../../api/use-stream.ts'
import { useTexts } from '../../messages/texts.tsx'
import { useCoreWords } from '../../messages/use-core-words.ts'
import { Button } from '../../ui/button.tsx'
import { CopyButton } from '../../ui/copy-button.tsx'
import { EmptyState } from '../../ui/empty-state.tsx'
import { ErrorNote, Refusal } from '../../ui/error-note.tsx'
import { Segmented } from '../../ui/segmented.tsx'
import { Skeleton } from '../../ui/skeleton.tsx'
import { Examples } from './examples.tsx'
import { KeyDialog } from './key-dialog.tsx'
import { KeysTable } from './keys-table.tsx'
import { RecentRequests } from './recent-requests.tsx'

/** Settings, Local API (ui.md §5.6): the address for programs, their keys, and what they used. */
export function LocalApi() {
  const { t } = useTexts()
  const { value: api, error } = useStream('gateway.state', {})
  if (!api) return error ? <Refusal error={error} /> : <Skeleton awaited={t('settings.loading')} lines={4} />
  return (
    <div className="flex flex-col gap-4">
      <Switchboard api={api} />
      <Keys api={api} />
      <Examples api={api} />
      <RecentRequests requests={api.recent} />
    </div>
  )
}

function Switchboard({ api }: { api: GatewayState }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const set = useCall('gateway.set')
  return (
    <section className="card" aria-label={t('api.address')}>
      <div className="setting-row">
        <div className="min-w-[220px] flex-1">
          <h2>{t('api.switch')}</h2>
          <p className="text-sm text-ink-2">{t('api.switchText')}</p>
        </div>
        <Segmented<'on' | 'off'>
          label={t('api.switch')}
          value={api.enabled ? 'on' : 'off'}
          options={[
            { value: 'on', label: t('api.on') },
            { value: 'off', label: t('api.off') },
          ]}
          onChange={(value) => void set.run({ enabled: value === 'on' })}
        />
      </div>
      <div className="setting-row">
        <div className="min-w-[220px] flex-1">
          <h2>{t('api.address')}</h2>
          <p className="text-sm text-ink-2">{t(`api.status.${api.status}`)}</p>
        </div>
        <span className="mono inline-flex items-center gap-1 text-sm">
          {api.url}
          <CopyButton value={api.url} label={t('action.copyOf', { name: t('api.address') })} />
        </span>
      </div>
      <PortRow port={api.port} onPort={(port) => void set.run({ port })} />
      {api.error || set.error ? (
        <div className="px-[1.125rem] pb-4">
          {api.error ? <ErrorNote title={said(api.error, api.errorWords)} /> : null}
          {set.error ? <Refusal error={set.error} /> : null}
        </div>
      ) : null}
    </section>
  )
}

function PortRow({ port, onPort }: { port: number; onPort(port: number): void }) {
  const { t } = useTexts()
  const [text, setText] = useState<string | null>(null)
  const wanted = /^\d{4,5}$/.test(text ?? '') ? Number(text) : 0
  const usable = wanted >= 1024 && wanted <= 65_535 && wanted !== port
  return (
    <form
      className="setting-row"
      onSubmit={(event) => {
        event.preventDefault()
        if (!usable) return
        onPort(wanted)
        setText(null)
      }}
    >
      <div className="min-w-[220px] flex-1">
        <h2>{t('api.port')}</h2>
        <p className="text-sm text-ink-2">{t('api.portText')}</p>
      </div>
      <span className="field w-28">
        <input
          aria-label={t('api.port')}
          inputMode="numeric"
          value={text ?? String(port)}
          onChange={(event) => setText(event.target.value.replaceAll(/\D/g, '').slice(0, 5))}
        />
      </span>
      <Button type="submit" disabled={!usable}>
        {t('api.portSet')}
      </Button>
    </form>
  )
}

function Keys({ api }: { api: GatewayState }) {
  const { t } = useTexts()
  const [editing, setEditing] = useState<GatewayKey | 'new' | null>(null)
  return (
    <section className="card" aria-label={t('api.keys')}>
      <div className="card-head">
        <h2>{t('api.keys')}</h2>
        <span className="ms-auto">
          <Button kind="primary" size="sm" onClick={() => setEditing('new')}>
            {t('api.newKey')}
          </Button>
        </span>
      </div>
      {api.keys.length === 0 ? (
        <EmptyState icon={KeyRound} title={t('api.noKeys')} text={t('api.noKeysText')} />
      ) : (
        <KeysTable keys={api.keys} onChange={setEditing} />
      )}
      {editing ? <KeyDialog api={api} edited={editing === 'new' ? null : editing} onClose={() => setEditing(null)} /> : null}
    </section>
  )
}
