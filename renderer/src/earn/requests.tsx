import { Inbox, LoaderCircle } from 'lucide-react'
import { useState } from 'react'
import type { ServedRequest } from '../../../preload/api/earn.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { EmptyState } from '../ui/empty-state.tsx'
import { Icon } from '../ui/icon.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { Tip } from '../ui/tip.tsx'

const shownAtFirst = 8

/** Served requests, newest first: counts and times only. */
export function Requests({ requests }: { requests: readonly ServedRequest[] }) {
  const { t } = useTexts()
  const [all, setAll] = useState(false)
  const shown = all ? requests : requests.slice(0, shownAtFirst)
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('requests.title')}</h2>
        <span className="text-xs text-ink-3">{t('requests.note')}</span>
        {requests.length > shownAtFirst ? (
          <Button kind="ghost" size="sm" className="ms-auto" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? t('requests.fewer') : t('requests.all', { n: requests.length })}
          </Button>
        ) : null}
      </div>
      {requests.length === 0 ? (
        <EmptyState icon={Inbox} title={t('requests.none')} text={t('requests.noneText')} />
      ) : (
        <ScrollRegion label={t('requests.title')} className="table-scroll mt-0.5">
          <table className="table num">
            <thead>
              <tr>
                <th>{t('column.time')}</th>
                <th className="wide-only">{t('column.model')}</th>
                <th>{t('column.result')}</th>
                <th className="end">{t('column.tokensIn')}</th>
                <th className="end">{t('column.tokensOut')}</th>
                <th className="end optional">{t('column.took')}</th>
                <th className="end">{t('column.earned')}</th>
                <th>{t('column.money')}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((request) => (
                <RequestRow key={request.id} request={request} />
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  )
}

function RequestRow({ request }: { request: ServedRequest }) {
  const { t } = useTexts()
  const format = useFormat()
  const answering = request.result === 'answering'
  // Between its end and the proxy's word about it nothing is known of its worth.
  const counting = answering || (request.result === 'answered' && request.money === undefined)
  return (
    <tr>
      <td className="text-ink-2">{format.clock(request.startedAtMs, true)}</td>
      <td className="wide-only max-w-[12rem] truncate" title={request.model}>
        {request.model}
      </td>
      <td className={answering ? 'text-accent-text' : 'text-ink-2'}>
        <span className="inline-flex items-center gap-1.5">
          {answering ? <Icon of={LoaderCircle} size={14} className="spin" /> : null}
          {t(`result.${request.result}`)}
        </span>
      </td>
      <td className="end text-ink-2">{format.count(request.promptTokens)}</td>
      <td className="end text-ink-2">{format.count(request.completionTokens)}</td>
      <td className="end optional text-ink-2">{request.tookMs === undefined ? '–' : format.duration(request.tookMs)}</td>
      <td className="end">
        {counting ? (
          <span className="text-ink-3">{t('requests.counting')}</span>
        ) : (
          <span title={t('usage.adjusted', { count: format.count(request.adjustedTokens) })}>
            {format.column(request.earned)}
          </span>
        )}
      </td>
      <td>
        {request.money ? (
          <Tip text={t(`money.${request.money}.means`)}>
            <span
              className={`chip ${request.money === 'settled' ? 'chip-accent' : request.money === 'counted' ? 'chip-outline' : ''}`}
            >
              {t(`money.${request.money}`)}
            </span>
          </Tip>
        ) : null}
      </td>
    </tr>
  )
}
