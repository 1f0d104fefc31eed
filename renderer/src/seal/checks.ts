import type { AppInfo, ModelState, NetworkState } from '../../../preload/api/system.ts'
import type { Say } from '../messages/texts.tsx'
import type { CoreSay } from '../messages/use-core-words.ts'

/**
 * `checked`: this computer checked it itself. `relied`: true by how this version is built, or said by another part. `not-checked`: no check
 * was made, and the row says so.
 */
export interface CheckRow {
  readonly id: string
  readonly result: 'checked' | 'relied' | 'not-checked'
  readonly statement: string
  readonly by: string
  readonly sentence: string
}

interface ComputerFacts {
  readonly t: Say
  readonly said: CoreSay
  readonly model: ModelState | undefined
  readonly info: AppInfo | undefined
}

/** Rows of level 1 (ui.md §3.4). Only what the core really did is called checked. */
export function computerChecks({ t, said, model, info }: ComputerFacts): readonly CheckRow[] {
  const notChecked = t('check.by.none')
  const fromCatalog = model?.origin === 'catalog' && model.sha256 !== null && model.status === 'installed'
  return [
    {
      id: 'model',
      result: fromCatalog ? 'checked' : 'not-checked',
      statement: t('check.model.statement'),
      by: fromCatalog ? t('check.by.here') : notChecked,
      sentence: model
        ? fromCatalog
          ? t('check.model.catalog', { model: model.name })
          : t('check.model.own', { model: model.name })
        : t('check.model.none'),
    },
    {
      id: 'network',
      result: 'not-checked',
      statement: t('check.network.statement'),
      by: notChecked,
      sentence: t('check.network.sentence'),
    },
    {
      id: 'tools',
      result: 'relied',
      statement: t('check.tools.statement'),
      by: t('check.by.version'),
      sentence: t('check.tools.sentence'),
    },
    {
      id: 'storage',
      result: info ? 'relied' : 'not-checked',
      statement: t('check.storage.statement'),
      by: info ? t('check.by.version') : notChecked,
      sentence: info
        ? t('check.storage.sentence', { folder: info.dataDir, vault: said(info.vault) })
        : t('check.storage.unknown'),
    },
  ]
}

interface PracticeFacts {
  readonly t: Say
  readonly said: CoreSay
  readonly network: NetworkState | undefined
}

/** Rows of the practice network: nothing about a stranger's machine is proven here, because there is none. */
export function practiceChecks({ t, said, network }: PracticeFacts): readonly CheckRow[] {
  const notChecked = t('check.by.none')
  const proxy = network?.proxies.find(({ state }) => state === 'connected')
  const root = network?.root
  return [
    {
      id: 'registry',
      result: root ? 'relied' : 'not-checked',
      statement: t('check.registry.statement'),
      by: root ? t('check.by.localChain') : notChecked,
      sentence: root ? t('check.registry.sentence', { version: root.version }) : t('check.registry.none'),
    },
    {
      id: 'proxy',
      // What the core says of a proxy without attestation is that it was not checked.
      result: 'not-checked',
      statement: t('check.proxy.statement'),
      by: notChecked,
      sentence: proxy ? said(proxy.verification) : t('check.proxy.none'),
    },
    ...(['hardware', 'software', 'worker'] as const).map(
      (id): CheckRow => ({
        id,
        result: 'not-checked',
        statement: t(`check.${id}.statement`),
        by: notChecked,
        sentence: t(`check.${id}.sentence`),
      }),
    ),
  ]
}
