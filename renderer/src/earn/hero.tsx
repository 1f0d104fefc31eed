import { Box, CalendarClock, Gauge, Pause, Play } from 'lucide-react'
import { useState } from 'react'
import type { EarnState } from '../../../preload/api/earn.ts'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { go } from '../app/route.ts'
import { ScreenTitle } from '../app/screen-title.tsx'
import { useFormat } from '../format/use-format.ts'
import { TrayGlyph } from '../frame/mark.tsx'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { LoadAgainButton } from '../models/load-again.tsx'
import { Bar } from '../ui/bar.tsx'
import { Button } from '../ui/button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { Figure, Money } from '../ui/money.tsx'
import { earnLine, earnTitle, earnTone, glyphOf } from './earn-words.ts'
import { HardwareStrip } from './hardware.tsx'
import { NetToday, NetWeek } from './net-lines.tsx'
import { SettleDialog } from './settle-dialog.tsx'

/** Am I earning, how much, what is pending and what is settled: in this order. */
export function Hero({ earn }: { earn: EarnState }) {
  const { t, language } = useTexts()
  const { said } = useCoreWords()
  const pause = useCall('earn.pause')
  const resume = useCall('earn.resume')
  const tone = earnTone(earn)
  const anyway = useCall('earn.anyway')
  const failure = pause.error ?? resume.error ?? anyway.error
  return (
    <section className="card" aria-label={t('earn.now')}>
      <div className="hero-state flex-wrap">
        <span className={`hero-glyph ${tone === 'earning' ? 'breathing' : ''}`} data-tone={tone}>
          <TrayGlyph kind={glyphOf(earn)} size={32} />
        </span>
        <div className="min-w-0 flex-1">
          <ScreenTitle>{earnTitle(earn, t, language, said)}</ScreenTitle>
          <p className="num mt-0.5 text-ink-2" role="status" data-testid="earn-line">
            {earnLine(earn, t, language, said)}
          </p>
        </div>
        <HeroAction
          earn={earn}
          busy={pause.running || resume.running || anyway.running}
          onPause={() => void pause.run({})}
          onResume={() => void resume.run({})}
          onAnyway={() => void anyway.run({})}
        />
      </div>
      {failure ? (
        <div className="px-5 pb-4">
          <Refusal error={failure} />
        </div>
      ) : null}
      <div className="figures num">
        <div className="figure-cell figure-big">
          <span className="figure-label">{t('earn.today')}</span>
          <Figure nano={earn.today} />
          {earn.network !== 'mainnet' ? <span className="text-sm text-ink-2">{t('earn.testCoins')}</span> : null}
          <NetToday earn={earn} />
        </div>
        <div className="figure-cell">
          <span className="figure-label">{t('earn.week')}</span>
          <Figure nano={earn.last7Days} />
          <NetWeek earn={earn} />
        </div>
        <div className="figure-cell">
          <span className="figure-label">{t('earn.lifetime')}</span>
          <Figure nano={earn.lifetime} />
          <span className="text-sm text-ink-2">{t('earn.lifetimeNote')}</span>
        </div>
        <SettlementCell earn={earn} />
      </div>
      <HardwareStrip />
    </section>
  )
}

interface HeroActionProps {
  earn: EarnState
  busy: boolean
  onPause(): void
  onResume(): void
  onAnyway(): void
}

function HeroAction({ earn, busy, onPause, onResume, onAnyway }: HeroActionProps) {
  const { t } = useTexts()
  const isStopped = useStream('models.list', {}).value?.some(({ stopped }) => stopped) === true
  const { servedBy } = useStream('limits.state', {}).value ?? {}
  switch (earn.status) {
    case 'paused':
      if (earn.pause)
        return (
          <HeroActions>
            {earn.pause.canPassOver ? (
              <Button size="lg" kind="primary" icon={<Icon of={Play} size={18} />} disabled={busy} onClick={onAnyway}>
                {t('earn.anyway')}
              </Button>
            ) : null}
          </HeroActions>
        )
      return (
        <HeroActions>
          <Button size="lg" kind="primary" icon={<Icon of={Play} size={18} />} disabled={busy} onClick={onResume}>
            {t('earn.resume')}
          </Button>
        </HeroActions>
      )
    case 'not-set-up':
      return (
        <Button size="lg" kind="primary" icon={<Icon of={Box} size={18} />} onClick={() => go('models')}>
          {t('earn.chooseModel')}
        </Button>
      )
    case 'error':
      return isStopped && !servedBy && !earn.diskFull ? <LoadAgainButton size="lg" /> : null
    case 'offline':
      return null
    default:
      return (
        <HeroActions>
          <Button size="lg" icon={<Icon of={Pause} size={18} />} disabled={busy} onClick={onPause}>
            {t('earn.pause')}
          </Button>
        </HeroActions>
      )
  }
}

/** What can be done now, after what earning may cost this computer and when it may happen. */
function HeroActions({ children }: { children: React.ReactNode }) {
  const { t } = useTexts()
  return (
    <div className="flex flex-wrap gap-2">
      <Button size="lg" kind="ghost" icon={<Icon of={Gauge} size={18} />} onClick={() => go('settings', 'limits')}>
        {t('earn.limits')}
      </Button>
      <Button size="lg" kind="ghost" icon={<Icon of={CalendarClock} size={18} />} onClick={() => go('settings', 'schedule')}>
        {t('earn.schedule')}
      </Button>
      {children}
    </div>
  )
}

function SettlementCell({ earn }: { earn: EarnState }) {
  const { t } = useTexts()
  const format = useFormat()
  const [asking, setAsking] = useState(false)
  const sum = earn.pending + earn.settled
  const share = sum === 0n ? 0 : Number((earn.settled * 1_000n) / sum) / 10
  return (
    <div className="figure-cell gap-1.5!">
      <span className="figure-label">{t('earn.settlement')}</span>
      <div className="mt-1.5 mb-1">
        <Bar height={8} percent={share} second={sum === 0n ? 0 : 100 - share} />
      </div>
      <div className="flex flex-wrap justify-between gap-x-3 text-sm">
        <span data-testid="pending">
          <b>
            <Money nano={earn.pending} />
          </b>{' '}
          <span className="text-ink-2">{t('money.pending')}</span>
        </span>
        <span data-testid="settled">
          <b>
            <Money nano={earn.settled} />
          </b>{' '}
          <span className="text-ink-2">{t('money.settledOnChain')}</span>
        </span>
      </div>
      <p className="text-xs text-ink-3">
        {earn.settleable > 0n ? (
          <>
            <button type="button" className="link py-1.5" onClick={() => setAsking(true)}>
              {t('earn.settleNow')}
            </button>{' '}
            {t('earn.settleCosts', { amount: format.figure(earn.settleFeeEstimate, 'up') })}
          </>
        ) : (
          t('earn.nothingToSettle')
        )}
      </p>
      <SettleDialog earn={earn} open={asking} onClose={() => setAsking(false)} />
    </div>
  )
}
