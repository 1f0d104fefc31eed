import { CircleAlert, Download, Ellipsis, FolderOpen, Trash2 } from 'lucide-react'
import { useState } from 'react'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { EmptyState } from '../ui/empty-state.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { Menu } from '../ui/menu.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'

export function ModelsTable({ models, onAdd }: { models: readonly ModelState[]; onAdd(): void }) {
  const { t } = useTexts()
  return (
    <section className="card">
      {models.length === 0 ? (
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
                <th className="end optional">{t('column.context')}</th>
                <th className="end">{t('column.speed')}</th>
                <th>{t('column.state')}</th>
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
  const [asking, setAsking] = useState(false)
  const failure = use.error ?? download.error ?? remove.error
  const about = [model.parameters, model.quantization, model.licence].filter(Boolean).join(', ')
  const missing = model.status === 'absent' || model.status === 'broken'
  return (
    <>
      <tr className={model.problem || failure ? 'with-note' : ''}>
        <td className="py-3! whitespace-normal!">
          <span className="flex flex-wrap items-center gap-2">
            <b>
              <bdi>{model.name}</bdi>
            </b>
            {model.loaded ? <span className="chip chip-accent">{t('models.inUse')}</span> : null}
            {model.origin === 'own' ? <span className="chip chip-outline">{t('models.own')}</span> : null}
          </span>
          <span className="text-ink-2">{about}</span>
        </td>
        <td className="end text-ink-2">{model.sizeBytes === null ? '–' : format.bytes(model.sizeBytes)}</td>
        <td className="end optional text-ink-2">
          {model.contextTokens === null
            ? '–'
            : t('usage.tokens', { n: model.contextTokens, count: format.count(model.contextTokens) })}
        </td>
        <td className="end">
          {model.tokensPerSecond === undefined ? (
            <span className="text-ink-3">{t('models.notMeasured')}</span>
          ) : (
            format.speed(model.tokensPerSecond)
          )}
        </td>
        <td>
          <span className={model.status === 'broken' ? 'text-danger' : 'text-ink-2'}>{t(`model.${model.status}`)}</span>
        </td>
        <td>
          <span className="flex items-center justify-end gap-1">
            {missing && model.origin === 'catalog' ? (
              <Button
                size="sm"
                icon={<Icon of={Download} size={14} />}
                disabled={download.running}
                onClick={() => void download.run({ id: model.id })}
              >
                {model.status === 'broken' ? t('models.downloadAgain') : t('models.download')}
              </Button>
            ) : null}
            {model.status === 'installed' && !model.loaded ? (
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
                entries={[{ id: 'delete', label: t('models.delete'), icon: Trash2, danger: true, run: () => setAsking(true) }]}
              />
            ) : null}
          </span>
          <ConfirmDialog
            open={asking}
            onOpenChange={setAsking}
            title={t('models.deleteTitle', { model: model.name })}
            text={model.loaded ? t('models.deleteInUse') : t('models.deleteText')}
            confirm={t('models.delete')}
            cancel={t('action.cancel')}
            danger
            onConfirm={() => void remove.run({ id: model.id })}
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
                  <p>
                    {t('models.byHand')}{' '}
                    <button type="button" className="link py-1" onClick={onAdd}>
                      {t('models.add')}
                    </button>
                  </p>
                </div>
              </div>
            )}
          </td>
        </tr>
      ) : null}
    </>
  )
}
