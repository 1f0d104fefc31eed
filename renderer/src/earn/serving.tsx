import { useState } from 'react'
import type { Serving as Choice, EnginesState, ExternalEngine } from '../../../preload/api/engines.ts'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { go } from '../app/route.ts'
import { isolated } from '../format/plain-label.ts'
import { useTexts } from '../messages/texts.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Segmented } from '../ui/segmented.tsx'

const numbers = [1, 2, 4, 8, 16] as const
/** Of a new choice: programs for one person answer few at once. */
const usualAtOnce = 4
/** As the value of an option: an engine and its model. */
const optionOf = (id: string, model: string): string => `${id} ${model}`

/** What answers requests of the network: this app's engine, or a model of an added one, with what follows from that. */
export function Serving() {
  const { t } = useTexts()
  const { value: state } = useStream('engines.state', {})
  const serve = useCall('engines.serve')
  const [wish, setWish] = useState<Choice | null>(null)
  if (!state) return null
  const { engines, serving } = state
  const current = engines.find(({ id }) => id === serving?.id)
  const wanted = engines.find(({ id }) => id === wish?.id)
  // Whoever confirmed the choice read where messages go.
  const change = (choice: Choice): void => void serve.run({ with: { ...choice, understood: true } })
  return (
    <section className="card" aria-label={t('serving.title')}>
      <div className="setting-row">
        <div className="min-w-[220px] flex-1 basis-[320px]">
          <h2>{t('serving.title')}</h2>
          <p className="text-sm text-ink-2" data-testid="serving-text">
            {current ? <Consequence engine={current} /> : t('serving.own')}
          </p>
          {engines.length === 0 ? (
            <button type="button" className="link py-1 text-sm" onClick={() => go('settings', 'engines')}>
              {t('serving.add')}
            </button>
          ) : null}
        </div>
        {engines.length === 0 ? null : (
          <EngineChoice
            state={state}
            disabled={serve.running}
            onOwn={() => void serve.run({ with: null })}
            onExternal={(id, model) => setWish({ id, model, atOnce: serving?.atOnce ?? usualAtOnce })}
          />
        )}
      </div>
      {serving ? (
        <div className="setting-row">
          <div className="min-w-[220px] flex-1 basis-[320px]">
            <p className="font-semibold">{t('serving.atOnce')}</p>
            <p className="text-sm text-ink-2">{t('serving.atOnceText')}</p>
          </div>
          <Segmented
            label={t('serving.atOnce')}
            value={String(serving.atOnce)}
            options={numbers.map((n) => ({ value: String(n), label: String(n) }))}
            onChange={(n) => change({ ...serving, atOnce: Number(n) })}
          />
        </div>
      ) : null}
      {serve.error ? (
        <div className="px-5 pb-4">
          <Refusal error={serve.error} />
        </div>
      ) : null}
      <ConfirmDialog
        open={wish !== null}
        onOpenChange={() => setWish(null)}
        title={t('serving.askTitle', { name: isolated(wanted?.name ?? '') })}
        text={t('serving.askText', { model: isolated(wish?.model ?? '') })}
        confirm={t('serving.askConfirm')}
        cancel={t('action.cancel')}
        onConfirm={() => {
          if (wish) change(wish)
        }}
      >
        <ul className="mt-3 flex list-disc flex-col gap-2 ps-5 text-sm text-ink-2">
          <li>{wanted ? <Reader engine={wanted} /> : null}</li>
          <li>{t('serving.attests')}</li>
          <li>{t('serving.memory', { name: isolated(wanted?.name ?? '') })}</li>
          <li>{t('serving.givenUp')}</li>
        </ul>
      </ConfirmDialog>
    </section>
  )
}

interface EngineChoiceProps {
  state: EnginesState
  disabled: boolean
  onOwn(): void
  onExternal(id: string, model: string): void
}

function EngineChoice({ state: { engines, serving }, disabled, onOwn, onExternal }: EngineChoiceProps) {
  const { t } = useTexts()
  const own = ''
  const choose = (value: string): void => {
    if (value === own) return onOwn()
    for (const { id, models } of engines) {
      const model = models.find((one) => optionOf(id, one) === value)
      if (model !== undefined) return onExternal(id, model)
    }
  }
  return (
    <label className="flex max-w-[300px] flex-col gap-1.5 text-sm text-ink-2">
      {t('serving.with')}
      <select
        className="field"
        value={serving ? optionOf(serving.id, serving.model) : own}
        disabled={disabled}
        onChange={(event) => choose(event.target.value)}
      >
        <option value={own}>{t('serving.ownEngine')}</option>
        {engines.map(({ id, name, models }) => {
          // One that is away now stays the choice.
          const kept = serving?.id === id && !models.includes(serving.model) ? [serving.model] : []
          return (
            <optgroup key={id} label={name}>
              {[...kept, ...models].map((model) => (
                <option key={model} value={optionOf(id, model)}>
                  {model}
                </option>
              ))}
            </optgroup>
          )
        })}
      </select>
    </label>
  )
}

/** Who reads what the network asks. */
function Reader({ engine: { name, host, isLoopback, isEncrypted } }: { engine: ExternalEngine }) {
  const { t } = useTexts()
  const values = { name: isolated(name), host: isolated(host) }
  return t(isLoopback ? 'serving.readsHere' : isEncrypted ? 'serving.readsAway' : 'serving.readsAwayPlain', values)
}

function Consequence({ engine }: { engine: ExternalEngine }) {
  const { t } = useTexts()
  return (
    <>
      <Reader engine={engine} /> {t('serving.memory', { name: isolated(engine.name) })}
    </>
  )
}
