import { Activity } from 'lucide-react'
import type { GatewayRequest } from '../../../../preload/api/gateway.ts'
import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'
import { EmptyState } from '../../ui/empty-state.tsx'
import { Money } from '../../ui/money.tsx'
import { ScrollRegion } from '../../ui/scroll-region.tsx'
import { shortModel } from './short-model.ts'

/** Counts of the last requests; of what was asked and answered nothing is kept. */
export function RecentRequests({ requests }: { requests: readonly GatewayRequest[] }) {
  const { t } = useTexts()
  const format = useFormat()
  const count = (value: number | null): string => (value === null ? '' : format.count(value))
  return (
    <section className="card" aria-label={t('api.recent')}>
      <div className="card-head">
        <h2>{t('api.recent')}</h2>
      </div>
      {requests.length === 0 ? (
        <EmptyState icon={Activity} title={t('api.noneRecent')} text={t('api.noneRecentText')} />
      ) : (
        <ScrollRegion label={t('api.recent')} className="table-scroll">
          <table className="table num">
            <thead>
              <tr>
                <th>{t('api.column.time')}</th>
                <th>{t('api.column.program')}</th>
                <th>{t('column.model')}</th>
                <th className="end">{t('api.column.status')}</th>
                <th className="end optional">{t('api.column.in')}</th>
                <th className="end">{t('api.column.out')}</th>
                <th className="end">{t('api.column.cost')}</th>
                <th className="end optional">{t('api.column.took')}</th>
              </tr>
            </thead>
            <tbody>
              {requests.map((one) => (
                <tr key={one.id}>
                  <td>{format.clock(one.atMs, true)}</td>
                  <td>{one.keyName}</td>
                  <td title={one.model ?? undefined}>{shortModel(one.model)}</td>
                  <td className="end">{one.status === 499 ? t('api.left') : one.status}</td>
                  <td className="end optional">{count(one.promptTokens)}</td>
                  <td className="end">{count(one.completionTokens)}</td>
                  <td className="end">{one.cost === null ? '' : <Money nano={one.cost} rounding="up" />}</td>
                  <td className="end optional">{format.duration(one.durationMs)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  )
}
