import { useStream } from '../api/use-stream.ts'
import { ScreenTitle } from '../app/screen-title.tsx'
import { useTexts } from '../messages/texts.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { Hardware } from './hardware.tsx'
import { Hero } from './hero.tsx'
import { NetCard } from './net-card.tsx'
import { Payouts } from './payouts.tsx'
import { Record } from './record.tsx'
import { Requests } from './requests.tsx'
import { Serving } from './serving.tsx'
import { TodayChart } from './today-chart.tsx'

export function EarnScreen() {
  const { t } = useTexts()
  const { value: earn, error } = useStream('earn.state', {})
  if (!earn) {
    return (
      <main className="page" data-region="content">
        <div className="page-inner">
          <div className="page-head">
            <ScreenTitle>{t('screen.earn')}</ScreenTitle>
          </div>
          {error ? <Refusal error={error} /> : <Skeleton awaited={t('earn.loading')} lines={5} />}
        </div>
      </main>
    )
  }
  return (
    <main className="page" data-region="content">
      <div className="page-inner">
        <Hero earn={earn} />
        <Serving />
        <div className="two-columns">
          <TodayChart values={earn.todayByHalfHour} total={earn.today} />
          <Hardware />
        </div>
        <div className="two-columns">
          <Requests requests={earn.requests} />
          <div className="flex min-w-0 flex-col gap-4">
            <NetCard earn={earn} />
            <Record earn={earn} />
          </div>
        </div>
        <Payouts payouts={earn.payouts} />
      </div>
    </main>
  )
}
