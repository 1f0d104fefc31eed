import { type ReactNode, useState } from 'react'
import { isFree, type PrivacyLevel } from '../../../../preload/api/chat.ts'
import { type GatewayKey, type GatewayState, pageOrigin } from '../../../../preload/api/gateway.ts'
import { useCall } from '../../api/use-call.ts'
import { csvTon } from '../../format/ton.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Button } from '../../ui/button.tsx'
import { CopyButton } from '../../ui/copy-button.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Segmented } from '../../ui/segmented.tsx'
import { LimitHint, UnknownModels } from './key-hints.tsx'
import { parseTon } from './ton-input.ts'

const usualLimit = '10'
const listOf = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '')

interface KeyDialogProps {
  api: GatewayState
  /** Null for a new one. */
  edited: GatewayKey | null
  onClose(): void
}

/** What one program may do. A new key is shown once, here, after it was made. */
export function KeyDialog({ api, edited, onClose }: KeyDialogProps) {
  const { t } = useTexts()
  const create = useCall('gateway.createKey')
  const change = useCall('gateway.changeKey')
  const [secret, setSecret] = useState<string | null>(null)
  const [name, setName] = useState(edited?.name ?? '')
  const [level, setLevel] = useState<PrivacyLevel>(edited?.level ?? 'computer')
  const [limit, setLimit] = useState(edited === null ? usualLimit : csvTon(edited.dailyLimit))
  const [models, setModels] = useState((edited?.models ?? []).join('\n'))
  const [origins, setOrigins] = useState((edited?.origins ?? []).join('\n'))
  const [agreed, setAgreed] = useState(false)

  const width = (one: PrivacyLevel | null | undefined): number => api.levels.findIndex((other) => other.level === one)
  // An agreement to one level says nothing about a wider one.
  const agreedBefore = width(level) <= width(edited?.consentedLevel)
  const needsConsent = api.levels.some((one) => one.level === level && one.needsConsent) && !agreedBefore
  const paid = !isFree(level)
  const dailyLimit = parseTon(limit)
  const least = api.levels.find((one) => one.level === level)?.leastAside
  const allOrigins = listOf(origins)
  const badOrigin = allOrigins.find((origin) => !pageOrigin.safeParse(origin).success)
  const ready = name.trim() !== '' && dailyLimit !== null && badOrigin === undefined && (!needsConsent || agreed)

  const save = async (): Promise<void> => {
    if (!ready || dailyLimit === null) return
    const allModels = listOf(models)
    const terms = {
      name: name.trim(),
      level,
      models: allModels.length === 0 ? null : allModels,
      origins: allOrigins,
      // What is free needs no limit, and nothing else is to be paid for by the way.
      dailyLimit: level === 'external' ? 0n : dailyLimit,
      consent: needsConsent && agreed,
    }
    if (edited) {
      if (await change.run({ ...terms, id: edited.id })) onClose()
      return
    }
    const made = await create.run(terms)
    if (made) setSecret(made.secret)
  }

  if (secret !== null) return <NewSecret secret={secret} name={name} onClose={onClose} />
  const error = create.error ?? change.error
  return (
    <FormDialog open onOpenChange={onClose} title={edited ? t('api.changeTitle', { name: edited.name }) : t('api.newKey')}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <Labelled text={t('api.name')}>
          <span className="field">
            <input
              value={name}
              maxLength={60}
              placeholder={t('api.nameExample')}
              onChange={(event) => setName(event.target.value)}
            />
          </span>
        </Labelled>
        <div className="flex flex-col gap-1.5 text-sm text-ink-2">
          {t('api.level')}
          <Segmented<PrivacyLevel>
            label={t('api.level')}
            value={level}
            options={api.levels.map((one) => ({ value: one.level, label: t(`api.place.${one.level}`) }))}
            onChange={setLevel}
          />
          <p className="text-xs text-ink-3">
            {t(paid ? 'api.levelPaid' : level === 'external' ? 'api.levelExternal' : 'api.levelFree')}
          </p>
        </div>
        {needsConsent ? (
          <label className="flex items-start gap-2 text-sm">
            <input type="checkbox" className="mt-1" checked={agreed} onChange={(event) => setAgreed(event.target.checked)} />
            <span>{level === 'external' ? t('api.consentExternal') : t('api.consent', { level: t(`api.place.${level}`) })}</span>
          </label>
        ) : null}
        {paid ? (
          <Labelled text={t('api.limit')} problem={dailyLimit === null ? t('api.limitWrong') : null}>
            <span className="field">
              <input inputMode="decimal" value={limit} onChange={(event) => setLimit(event.target.value)} />
              <span className="text-ink-3">TON</span>
            </span>
            <LimitHint limit={dailyLimit} least={least} />
          </Labelled>
        ) : null}
        <details className="text-sm" open={models !== '' || origins !== ''}>
          <summary className="cursor-pointer text-ink-2">{t('api.more')}</summary>
          <div className="mt-2 flex flex-col gap-3">
            <Labelled text={t('api.models')}>
              <textarea
                className="field mono min-h-16 py-2 text-xs"
                value={models}
                placeholder={api.models.join('\n')}
                onChange={(event) => setModels(event.target.value)}
              />
              <UnknownModels names={listOf(models)} known={api.models} />
            </Labelled>
            <Labelled
              text={t('api.origins')}
              problem={badOrigin === undefined ? null : t('api.originWrong', { origin: badOrigin })}
            >
              <textarea
                className="field mono min-h-16 py-2 text-xs"
                value={origins}
                placeholder="https://example.org"
                onChange={(event) => setOrigins(event.target.value)}
              />
            </Labelled>
          </div>
        </details>
        {error ? <Refusal error={error} /> : null}
        <div className="mt-2 flex justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="primary" type="submit" disabled={!ready || create.running || change.running}>
            {edited ? t('api.save') : t('api.create')}
          </Button>
        </div>
      </form>
    </FormDialog>
  )
}

function Labelled({ text, problem = null, children }: { text: string; problem?: string | null; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child.
    <label className="flex flex-col gap-1.5 text-sm text-ink-2">
      {text}
      {children}
      {problem === null ? null : (
        <span role="alert" className="text-xs text-danger">
          {problem}
        </span>
      )}
    </label>
  )
}

function NewSecret({ secret, name, onClose }: { secret: string; name: string; onClose(): void }) {
  const { t } = useTexts()
  return (
    <FormDialog open onOpenChange={onClose} title={t('api.madeTitle', { name })}>
      <p className="text-sm text-ink-2">{t('api.madeText')}</p>
      <div className="mt-3 flex items-center gap-2 rounded-md bg-sunken px-4 py-3">
        <code className="mono min-w-0 flex-1 text-xs [overflow-wrap:anywhere]">{secret}</code>
        <CopyButton withWord value={secret} label={t('action.copyOf', { name: t('api.key') })} />
      </div>
      <div className="mt-5 flex justify-end">
        <Button kind="primary" onClick={onClose}>
          {t('api.madeDone')}
        </Button>
      </div>
    </FormDialog>
  )
}
