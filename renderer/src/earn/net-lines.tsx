import type { EarnState } from '../../../preload/api/earn.ts'
import { hasTestCoins } from '../../../preload/api/electricity.ts'
import { pathTo } from '../app/route.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { moneyWords } from './net-words.ts'

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
  const money = moneyWords(today, fiat, t)
  if (today.costMicros === null) return <span className="text-sm text-ink-2">{t('net.costUnknown')}</span>
  if (today.netMicros === null || today.worthMicros === null)
    return <span className="text-sm text-ink-2">{t('net.costs', { cost: money.cost(today.costMicros) })}</span>
  const isLoss = today.netMicros < 0
  return (
    <span className="text-sm text-ink-2">
      {hasTestCoins(earn.network) ? null : t('net.gross', { amount: fiat(today.worthMicros) })}{' '}
      <b className="text-ink">{t(isLoss ? 'net.loss' : 'net.after', { amount: money.net(today.netMicros) })}</b>{' '}
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
  const { power } = prices
  if (power === null) return null
  const money = moneyWords(last7Days, (micros) => format.fiat(micros, power.currency), t)
  const { costMicros, netMicros } = last7Days
  return (
    <span className="text-sm text-ink-2">
      {costMicros === null
        ? t('net.costUnknown')
        : netMicros === null
          ? t('net.costs', { cost: money.cost(costMicros) })
          : t('net.loss', { amount: money.net(netMicros) })}
    </span>
  )
}
