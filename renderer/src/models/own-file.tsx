import type { ModelState } from '../../../preload/api/system.ts'
import { type Say, useTexts } from '../messages/texts.tsx'

/** That a file is the user's own, and what its hash says; nothing is said of a hash that is not known yet. */
export function OwnChip({ model }: { model: ModelState }) {
  const { t } = useTexts()
  if (model.origin !== 'own') return null
  const same = model.own?.sameAs
  const words = same ? t('models.ownSame', { model: same }) : t(model.sha256 === null ? 'models.own' : 'models.ownUnknown')
  return <span className="chip chip-outline">{words}</span>
}

/** What is said where a model is deleted: of an own file outside the models folder only the entry goes. */
export function leavingWords(
  { name, path, own, loaded }: Pick<ModelState, 'name' | 'path' | 'own' | 'loaded'>,
  t: Say,
): { readonly action: string; readonly title: string; readonly text: string; readonly done: string } {
  const model = { model: name }
  const inUse = loaded ? [t('models.deleteInUse')] : []
  if (own !== undefined && !own.isInFolder)
    return {
      action: t('models.forget'),
      title: t('models.forgetTitle', model),
      text: [...inUse, t('models.forgetText', { path: path ?? '' })].join(' '),
      done: t('models.forgotten', model),
    }
  return {
    action: t('models.delete'),
    title: t('models.deleteTitle', model),
    text: [...inUse, ...(own === undefined ? [] : [t('models.deleteOwn')])].join(' '),
    done: t('models.deleted', model),
  }
}
