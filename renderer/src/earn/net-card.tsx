import { Info } from 'lucide-react'
import { Popover } from 'radix-ui'
import type { EarnState } from '../../../preload/api/earn.ts'
import { type Electricity, hasTestCoins } from '../../../preload/api/electricity.ts'
import { pathTo } from '../app/route.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { IconButton } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { energyWords, moneyWords, unmeasuredReason } from './net-words.ts'

/** What today earned, what answering cost, and what is left: only what is known, each in the money that it is known in. */
export function NetCard({ earn }: { earn: EarnState }) {
  const { t } = useTexts()
  const format = useFormat()
  const { prices, today, source } = earn.electricity
  const { power, ton } = prices
  const isTest = hasTestCoins(earn.network)
  const fiat = (micros: number): string => (power ? format.fiat(micros, power.currency) : '')
  const unknown = unmeasuredReason(today, source)
  const energy = format.energy(today.socketJ)
  const money = moneyWords(today, fiat, t)
  return (
    <section className="card" aria-label={t('net.title')}>
      <div className="card-head">
        <h2>{t('net.title')}</h2>
        <HowItIsReckoned electricity={earn.electricity} />
        <a className="link ms-auto text-sm" href={pathTo('settings', 'electricity')}>
          {t('electricity.price')}
        </a>
      </div>
      <dl className="facts num grid-cols-[1fr_auto]! pb-2!">
        <dt>
          {t(isTest ? 'net.earnedTest' : ton && power ? 'net.earnedAt' : 'net.earned', {
            amount: format.figure(earn.today),
            price: ton && power ? format.price(ton.micros, power.currency) : '',
          })}
        </dt>
        <dd>{isTest ? t('net.nothing') : today.worthMicros === null ? '—' : fiat(today.worthMicros)}</dd>
        <dt>
          {power
            ? t('net.electricityAt', { energy, price: format.price(power.perKwhMicros, power.currency) })
            : t('net.electricity', { energy })}
        </dt>
        <dd>{today.costMicros === null ? (unknown ? t('net.unknown') : '—') : money.cost(-today.costMicros)}</dd>
        {power ? (
          <>
            <dt className="font-semibold text-ink!">{t('net.net')}</dt>
            <dd className="font-semibold" data-testid="net">
              {today.netMicros !== null
                ? money.net(today.netMicros)
                : today.costMicros !== null
                  ? t('net.apart', { amount: format.figure(earn.today), cost: money.cost(-today.costMicros) })
                  : t('net.unknown')}
            </dd>
          </>
        ) : null}
      </dl>
      <div className="flex flex-col gap-1 px-[1.125rem] pb-4 text-xs text-ink-3">
        {power ? null : (
          <a className="link text-sm" href={pathTo('settings', 'electricity')}>
            {t('net.setPrice')}
          </a>
        )}
        {power && !isTest && ton === null ? <p>{t('net.noTonPrice')}</p> : null}
        {!isTest && ton ? <p>{t('net.tonSince', { when: format.dateTime(ton.statedAtMs) })}</p> : null}
        {unknown ? (
          <p>
            {t(`net.unmeasured.${unknown}`)}{' '}
            {today.measuredMs > 0
              ? t('net.unmeasuredPart', {
                  part: format.duration(today.servingMs - today.measuredMs),
                  all: format.duration(today.servingMs),
                })
              : null}
          </p>
        ) : null}
      </div>
    </section>
  )
}

/** The sentence behind the figures, with its numbers (ui.md §5.2). */
function HowItIsReckoned({ electricity }: { electricity: Electricity }) {
  const { t } = useTexts()
  const format = useFormat()
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <IconButton small label={t('net.how')}>
          <Icon of={Info} />
        </IconButton>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="num z-(--z-popover) max-w-[360px] rounded-lg border border-line bg-raised p-4 text-sm shadow-2"
          collisionPadding={12}
          aria-label={t('net.how')}
        >
          <p>{energyWords(electricity.today, t, format)}</p>
          <p className="mt-2 text-ink-2">{t('net.restOfComputer')}</p>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
