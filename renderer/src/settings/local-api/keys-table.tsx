import { Ellipsis, Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'
import type { GatewayKey } from '../../../../preload/api/gateway.ts'
import { useCall } from '../../api/use-call.ts'
import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'
import { IconButton } from '../../ui/button.tsx'
import { ConfirmDialog } from '../../ui/dialog.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Menu } from '../../ui/menu.tsx'
import { ScrollRegion } from '../../ui/scroll-region.tsx'
import { Spent } from './spent.tsx'

export function KeysTable({ keys, onChange }: { keys: readonly GatewayKey[]; onChange(key: GatewayKey): void }) {
  const { t } = useTexts()
  return (
    <ScrollRegion label={t('api.keys')} className="table-scroll">
      <table className="table num">
        <thead>
          <tr>
            <th>{t('api.column.program')}</th>
            <th>{t('api.column.level')}</th>
            <th className="end">{t('api.column.today')}</th>
            <th className="end">{t('api.column.spent')}</th>
            <th className="optional">{t('api.column.lastUsed')}</th>
            <th>
              <span className="sr-only">{t('column.actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <KeyRow key={key.id} of={key} onChange={onChange} />
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  )
}

function KeyRow({ of: key, onChange }: { of: GatewayKey; onChange(key: GatewayKey): void }) {
  const { t } = useTexts()
  const format = useFormat()
  const revoke = useCall('gateway.revokeKey')
  const [asking, setAsking] = useState(false)
  const { requests } = key.today
  return (
    <tr>
      <td>
        <b>{key.name}</b>
        <div className="mono text-xs text-ink-3">…{key.hint}</div>
        {revoke.error ? <Refusal error={revoke.error} /> : null}
      </td>
      <td>{t(`api.place.${key.level}`)}</td>
      <td className="end">{t('api.requests', { n: requests, count: format.count(requests) })}</td>
      <td className="end">
        <Spent of={key} />
      </td>
      <td className="optional">{key.lastUsedAtMs === null ? t('api.never') : format.dateTime(key.lastUsedAtMs)}</td>
      <td className="end">
        <Menu
          trigger={
            <IconButton small label={t('api.actionsOf', { name: key.name })}>
              <Icon of={Ellipsis} />
            </IconButton>
          }
          entries={[
            { id: 'change', label: t('api.change'), icon: Pencil, run: () => onChange(key) },
            { id: 'revoke', label: t('api.revoke'), icon: Trash2, danger: true, run: () => setAsking(true) },
          ]}
        />
        <ConfirmDialog
          open={asking}
          onOpenChange={setAsking}
          title={t('api.revokeTitle', { name: key.name })}
          text={t('api.revokeText')}
          confirm={t('api.revoke')}
          cancel={t('action.cancel')}
          danger
          onConfirm={() => void revoke.run({ id: key.id })}
        />
      </td>
    </tr>
  )
}
