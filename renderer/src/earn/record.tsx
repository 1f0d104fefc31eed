import type { EarnState } from '../../../preload/api/earn.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Money } from '../ui/money.tsx'

/** What this computer can count itself, and the rate it is paid at. */
export function Record({ earn }: { earn: EarnState }) {
  const { t } = useTexts()
  const format = useFormat()
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('record.title')}</h2>
        <span className="text-xs text-ink-3">{t('record.note')}</span>
      </div>
      <dl className="facts num">
        <dt>{t('result.answered')}</dt>
        <dd>{format.count(earn.answered)}</dd>
        <dt>{t('result.cancelled')}</dt>
        <dd>{format.count(earn.cancelled)}</dd>
        <dt>{t('result.failed')}</dt>
        <dd>{format.count(earn.failed)}</dd>
        <dt>{t('record.counted')}</dt>
        <dd>
          <Money nano={earn.counted} />
        </dd>
        {earn.workerFeePerToken === undefined ? null : (
          <>
            <dt>{t('record.fee')}</dt>
            <dd>{format.exact(earn.workerFeePerToken)}</dd>
          </>
        )}
      </dl>
    </section>
  )
}
