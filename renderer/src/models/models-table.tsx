import { CircleAlert, Download, Ellipsis, FolderOpen, SearchX, Trash2 } from 'lucide-react'
import { useState } from 'react'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { go } from '../app/route.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { LocalGlyph, PracticeGlyph } from '../seal/seal-glyph.tsx'
import { Button, IconButton } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { EmptyState } from '../ui/empty-state.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { Menu } from '../ui/menu.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { useToast } from '../ui/toasts.tsx'
import { FitCell, useDeviceName } from './fit-cell.tsx'
import { LoadAgainButton, StoppedText } from './load-again.tsx'
import { leavingWords, OwnChip } from './own-file.tsx'
import { RowDownload } from './row-download.tsx'

interface ModelsTableProps {
  models: readonly ModelState[]
  /** There is no model at all, not only none that was looked for. */
  nothing: boolean
  onAdd(): void
}

export function ModelsTable({ models, nothing, onAdd }: ModelsTableProps) {
  const { t } = useTexts()
  const device = useDeviceName(models.map(({ fit }) => fit))
  return (
    <section className="card">
      {!nothing && models.length === 0 ? (
        <EmptyState icon={SearchX} title={t('models.noneFound')} text={t('models.noneFoundText')} />
      ) : models.length === 0 ? (
        <EmptyState icon={FolderOpen} title={t('models.none')} text={t('models.noneText')}>
          <Button onClick={onAdd}>{t('models.add')}</Button>
        </EmptyState>
      ) : (
        <ScrollRegion label={t('screen.models')} className="table-scroll">
          <table className="table num">
            <thead>
              <tr>
                <th>{t('column.model')}</th>
                <th className="end">{t('column.size')}</th>
                <th>{device}</th>
                <th className="end">{t('column.speed')}</th>
                <th className="optional">{t('column.where')}</th>
                <th>
                  <span className="sr-only">{t('column.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {models.map((model) => (
                <ModelRow key={model.id} model={model} onAdd={onAdd} />
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  )
}

function ModelRow({ model, onAdd }: { model: ModelState; onAdd(): void }) {
  const { t } = useTexts()
  const { saidProblem } = useCoreWords()
  const format = useFormat()
  const use = useCall('models.use')
  const download = useCall('models.download')
  const remove = useCall('models.delete')
  const toast = useToast()
  const { engine, servedBy } = useStream('limits.state', {}).value ?? {}
  const [asking, setAsking] = useState(false)
  const failure = use.error ?? download.error ?? remove.error
  const abilities = (['reasoning', 'tools'] as const).filter((ability) => model.abilities?.[ability] === true)
  const about = [model.parameters, model.quantization, model.licence, ...abilities.map((one) => t(`ability.${one}`))]
  const missing = model.status === 'absent' || model.status === 'broken'
  // Only what cannot be had again, or is at work, is asked about.
  const needsAsking = model.loaded || model.origin === 'own'
  const leaving = leavingWords(model, t)
  const deleteNow = (): void => {
    void remove.run({ id: model.id }).then((done) => done && toast(leaving.done))
  }
  return (
    <>
      <tr className={model.problem || failure ? 'with-note' : ''}>
        <td className="py-3! whitespace-normal!">
          <span className="flex flex-wrap items-center gap-2">
            <b>
              <bdi>{model.name}</bdi>
            </b>
            {model.loaded ? <span className="chip chip-accent">{t('models.inUse')}</span> : null}
            {model.loaded && (engine === 'asleep' || engine === 'yielded') ? (
              <span className="chip">{t(`models.${engine}`)}</span>
            ) : null}
            {model.loadedForPrograms ? <span className="chip">{t('models.forPrograms')}</span> : null}
            <OwnChip model={model} />
            {model.stopped ? <span className="chip chip-danger">{t('models.stopped')}</span> : null}
            {model.status === 'broken' ? <span className="chip chip-danger">{t('model.broken')}</span> : null}
          </span>
          <span className="text-ink-2">{about.filter(Boolean).join(', ')}</span>
          {model.stopped ? (
            <div className="num mt-1 flex items-start gap-1.5 text-xs text-ink-2">
              <Icon of={CircleAlert} size={14} className="mt-px shrink-0" />
              <StoppedText stopped={model.stopped} />
            </div>
          ) : null}
          {model.gotLess?.map(({ kind, asked, got }) => (
            <p key={kind} className="mt-1 flex items-start gap-1.5 text-xs text-ink-2">
              <Icon of={CircleAlert} size={14} className="mt-px shrink-0" />
              {t(`models.${kind}`, { asked: format.count(asked), got: format.count(got) })}
            </p>
          ))}
        </td>
        <td className="end text-ink-2">
          {model.sizeBytes !== null
            ? format.bytes(model.sizeBytes)
            : model.fit?.roughFileBytes !== undefined
              ? `~${format.bytes(model.fit.roughFileBytes)}`
              : '–'}
        </td>
        <td>
          <FitCell fit={model.fit} isHere={model.path !== null} />
        </td>
        <td className="end">
          {model.tokensPerSecond === undefined ? (
            <span className="text-ink-3">{t('models.notMeasured')}</span>
          ) : (
            format.speed(model.tokensPerSecond)
          )}
        </td>
        <td className="optional text-ink-2">
          <Where model={model} isServed={model.loaded && !servedBy} />
        </td>
        <td>
          <span className="flex items-center justify-end gap-1">
            <RowDownload model={model} />
            {missing && model.origin === 'catalog' ? (
              <Button
                size="sm"
                icon={<Icon of={Download} size={14} />}
                disabled={download.running}
                onClick={() => void download.run({ id: model.id })}
              >
                {model.status === 'broken'
                  ? t('models.downloadAgain')
                  : model.receivedBytes === undefined
                    ? t('models.download')
                    : t('models.resume')}
              </Button>
            ) : null}
            {model.loaded && !model.stopped ? (
              <Button size="sm" onClick={() => go('chat')}>
                {t('models.chat')}
              </Button>
            ) : null}
            {model.stopped ? <LoadAgainButton size="sm" /> : null}
            {model.status === 'installed' && !model.loaded && !model.stopped ? (
              <Button size="sm" disabled={use.running} onClick={() => void use.run({ id: model.id })}>
                {t('models.use')}
              </Button>
            ) : null}
            {model.status === 'installed' || model.status === 'broken' ? (
              <Menu
                trigger={
                  <IconButton small label={t('models.menuOf', { model: model.name })}>
                    <Icon of={Ellipsis} />
                  </IconButton>
                }
                entries={[
                  {
                    id: 'delete',
                    label: leaving.action,
                    icon: Trash2,
                    danger: true,
                    run: needsAsking ? () => setAsking(true) : deleteNow,
                  },
                ]}
              />
            ) : null}
          </span>
          <ConfirmDialog
            open={asking}
            onOpenChange={setAsking}
            title={leaving.title}
            text={leaving.text}
            confirm={leaving.action}
            cancel={t('action.cancel')}
            danger
            onConfirm={deleteNow}
          />
        </td>
      </tr>
      {model.problem || failure ? (
        <tr>
          <td colSpan={6} className="pt-0! pb-3.5! whitespace-normal!">
            {failure ? (
              <Refusal error={failure} />
            ) : (
              <div className="banner banner-plain">
                <Icon of={CircleAlert} size={18} className={model.status === 'broken' ? 'text-danger' : ''} />
                <div className="min-w-0 flex-1">
                  <p>{saidProblem(model)}</p>
                  <button type="button" className="link py-1" onClick={onAdd}>
                    {t('models.add')}
                  </button>
                </div>
              </div>
            )}
          </td>
        </tr>
      ) : null}
    </>
  )
}

/** What is known of where a model can be used. A network that is not there is not promised. */
function Where({ model, isServed }: { model: ModelState; isServed: boolean }) {
  const { t } = useTexts()
  const places = [
    ...(model.fit?.word === 'too-big' ? [] : [{ glyph: <LocalGlyph size={15} />, name: t('level.computer.name') }]),
    ...(isServed ? [{ glyph: <PracticeGlyph size={15} />, name: t('level.practice.short') }] : []),
  ]
  if (places.length === 0) return '–'
  return places.map(({ glyph, name }) => (
    <span key={name} className="flex items-center gap-1.5 text-xs">
      <span className="text-ink-3">{glyph}</span>
      {name}
    </span>
  ))
}
