import type { EarnState } from '../../../preload/api/earn.ts'
import { pathTo } from '../app/route.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'

/** Directly under what today earned: what is left of it, or what is missing to know that. */
export function NetToday({ earn }: { earn: EarnState }) {
  const { t } = useTexts()
  const format = useFormat()
  const { prices, today } = earn.electricity
  if (prices.power === null)
    return (
      <a className="link text-sm" href={pathTo('settings', 'electricity')}>
        {t('net.setPrice')}
      </a>
    )
  const fiat = (micros: number): string => format.fiat(micros, prices.power?.currency ?? '')
  if (today.costMicros === null) return <span className="text-sm text-ink-2">{t('net.costUnknown')}</span>
  if (today.netMicros === null || today.worthMicros === null)
    return <span className="text-sm text-ink-2">{t('net.costs', { cost: fiat(today.costMicros) })}</span>
  const isLoss = today.netMicros < 0
  return (
    <span className="text-sm text-ink-2">
      {earn.network === 'mainnet' ? t('net.gross', { amount: fiat(today.worthMicros) }) : null}{' '}
      <b className="text-ink">{t(isLoss ? 'net.loss' : 'net.after', { amount: fiat(today.netMicros) })}</b>{' '}
      {isLoss && !prices.pauseWhenNotPaying ? (
        <a className="link" href={pathTo('settings', 'electricity')}>
          {t('electricity.pause')}
        </a>
      ) : null}
    </span>
  )
}

export function NetWeek({ earn }: { earn: EarnState }) {
  const { t } = useTexts()
  const format = useFormat()
  const { prices, last7Days } = earn.electricity
  if (prices.power === null || last7Days.netMicros === null) return null
  return (
    <span className="text-sm text-ink-2">
      {t('net.loss', { amount: format.fiat(last7Days.netMicros, prices.power.currency) })}
    </span>
  )
}
