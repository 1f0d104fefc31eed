import { Monitor, Network } from 'lucide-react'
import { useState } from 'react'
import type { EnginesState, ExternalEngine } from '../../../../preload/api/engines.ts'
import { useCall } from '../../api/use-call.ts'
import { isolated } from '../../format/plain-label.ts'
import { useTexts } from '../../messages/texts.tsx'
import { useCoreWords } from '../../messages/use-core-words.ts'
import { Button } from '../../ui/button.tsx'
import { ConfirmDialog } from '../../ui/dialog.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Icon } from '../../ui/icon.tsx'
import { AwayDialog } from './away-dialog.tsx'

export function EngineList({ state: { engines, chosen, serving } }: { state: EnginesState }) {
  const { t } = useTexts()
  const remove = useCall('engines.remove')
  const [removing, setRemoving] = useState<ExternalEngine | null>(null)
  return (
    <section className="card" aria-label={t('engines.list')}>
      <div className="card-head">
        <h2>{t('engines.list')}</h2>
      </div>
      {remove.error ? <Refusal error={remove.error} /> : null}
      {engines.length === 0 ? <p className="px-[1.125rem] pb-4 text-sm text-ink-2">{t('engines.none')}</p> : null}
      <ul>
        {engines.map((engine) => (
          <EngineRow
            key={engine.id}
            engine={engine}
            used={chosen?.id === engine.id ? chosen.model : null}
            serves={serving?.id === engine.id}
            onRemove={() => setRemoving(engine)}
          />
        ))}
      </ul>
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={t('engines.removeTitle', { name: isolated(removing?.name ?? '') })}
        text={`${t('engines.removeText')}${removing !== null && serving?.id === removing.id ? ` ${t('engines.removeServing')}` : ''}`}
        confirm={t('engines.remove')}
        cancel={t('action.cancel')}
        danger
        onConfirm={() => {
          if (removing) void remove.run({ id: removing.id })
        }}
      />
    </section>
  )
}

interface EngineRowProps {
  engine: ExternalEngine
  /** The model that chats are answered by; null where that is another engine's, or none. */
  used: string | null
  /** The worker serves with it. */
  serves: boolean
  onRemove(): void
}

function EngineRow({ engine, used, serves, onRemove }: EngineRowProps) {
  const { t } = useTexts()
  const test = useCall('engines.test')
  const choose = useCall('engines.choose')
  const [wanted, setWanted] = useState('')
  const { id, isLoopback, isEncrypted, name } = engine
  const host = isolated(engine.host)
  const models = used === null || engine.models.includes(used) ? engine.models : [used, ...engine.models]
  return (
    <li className="setting-row" aria-label={name}>
      <Icon of={isLoopback ? Monitor : Network} size={20} />
      <div className="min-w-[220px] flex-1">
        <h3 className="flex flex-wrap items-center gap-2">
          {name}
          {used === null ? null : <span className="chip min-h-5!">{t('engines.inUse')}</span>}
          {serves ? <span className="chip min-h-5!">{t('engines.serves')}</span> : null}
        </h3>
        <p className="mono text-xs text-ink-2 [overflow-wrap:anywhere]">{engine.url}</p>
        <p className="text-sm text-ink-2">
          {isLoopback ? t('engines.here') : t(isEncrypted ? 'engines.away' : 'engines.awayPlain', { host })}{' '}
          {engine.hasKey ? t('engines.hasKey') : null}
        </p>
        <EngineStatus engine={engine} />
        {choose.error && choose.error.code !== 'needs-consent' ? <Refusal error={choose.error} /> : null}
      </div>
      <div className="flex flex-wrap items-end gap-2">
        {models.length === 0 ? null : (
          <label className="flex max-w-[260px] flex-col gap-1.5 text-sm text-ink-2">
            {t('engines.model')}
            <select
              className="field"
              value={used ?? ''}
              onChange={(event) => {
                setWanted(event.target.value)
                void choose.run({ id, model: event.target.value })
              }}
            >
              {used === null ? <option value="">{t('engines.modelNone')}</option> : null}
              {models.map((model) => (
                <option key={model} value={model}>
                  {model}
                </option>
              ))}
            </select>
          </label>
        )}
        <Button
          size="sm"
          disabled={test.running}
          onClick={() => void test.run({ id })}
          aria-label={t('engines.testOf', { name: isolated(name) })}
        >
          {t(test.running ? 'engines.testing' : 'engines.test')}
        </Button>
        <Button size="sm" kind="danger" onClick={onRemove} aria-label={t('engines.removeOf', { name: isolated(name) })}>
          {t('engines.remove')}
        </Button>
      </div>
      <AwayDialog
        error={choose.error}
        onLeave={choose.clear}
        onConfirm={() => void choose.run({ id, model: wanted, understood: true })}
      />
    </li>
  )
}

function EngineStatus({ engine }: { engine: ExternalEngine }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  if (engine.status === 'failed')
    return (
      <p className="text-sm text-danger" role="status">
        {said(engine.problem ?? '', engine.problemWords)}
      </p>
    )
  return (
    <p className="text-sm" role="status">
      {engine.status === 'connecting' ? t('engines.connecting') : t('engines.models', { n: engine.models.length })}
    </p>
  )
}
