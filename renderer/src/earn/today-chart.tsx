import { useEffect, useRef, useState } from 'react'
import { exactTon } from '../format/ton.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { chartScale, share } from './chart-scale.ts'

const height = 190
const top = 14
const bottom = 26
const end = 8

/** Time of day of a half hour, e.g. 21:30. */
const halfHourMs = (index: number): number => new Date().setHours(Math.floor(index / 2), (index % 2) * 30, 0, 0)

export function TodayChart({ values, total }: { values: readonly bigint[]; total: bigint }) {
  const { t } = useTexts()
  const format = useFormat()
  const [table, setTable] = useState(false)
  const busy = values.flatMap((value, index) => (value > 0n ? [{ index, value }] : []))
  const best = busy.reduce((a, b) => (b.value > (a?.value ?? 0n) ? b : a), busy[0])
  const summary = best
    ? t('chart.summary', {
        total: format.exact(total),
        n: busy.length,
        time: format.clock(halfHourMs(best.index)),
        amount: format.exact(best.value),
      })
    : t('chart.nothing')
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('chart.title')}</h2>
        <span className="text-xs text-ink-3">TON</span>
        <Button kind="ghost" size="sm" className="ms-auto" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? t('chart.asChart') : t('chart.asTable')}
        </Button>
      </div>
      {table ? (
        <ScrollRegion label={t('chart.title')} className="table-scroll mt-2 max-h-[230px] overflow-y-auto">
          <table className="table num">
            <thead>
              <tr>
                <th>{t('column.time')}</th>
                <th className="end">{t('column.earned')}</th>
              </tr>
            </thead>
            <tbody>
              {busy.map(({ index, value }) => (
                <tr key={index}>
                  <td>{t('chart.span', { from: format.clock(halfHourMs(index)), to: format.clock(halfHourMs(index + 1)) })}</td>
                  <td className="end">{format.column(value)}</td>
                </tr>
              ))}
              {busy.length === 0 ? (
                <tr>
                  <td colSpan={2} className="text-ink-2">
                    {t('chart.nothing')}
                  </td>
                </tr>
              ) : null}
            </tbody>
          </table>
        </ScrollRegion>
      ) : (
        <>
          <div className="px-[1.125rem] pt-2">
            <Threads values={values} summary={summary} />
          </div>
          <p className="px-[1.125rem] pt-1 pb-3.5 text-xs text-ink-3">
            {busy.length === 0 ? t('chart.nothing') : t('chart.legend')}
          </p>
        </>
      )}
    </section>
  )
}

/** One thread per half hour, with a line at the present time. */
function Threads({ values, summary }: { values: readonly bigint[]; summary: string }) {
  const { language } = useTexts()
  const format = useFormat()
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(600)
  const [nowMs, setNowMs] = useState(Date.now)
  useEffect(() => {
    const element = box.current
    if (!element) return
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    const timer = setInterval(() => setNowMs(Date.now()), 30_000)
    return () => {
      observer.disconnect()
      clearInterval(timer)
    }
  }, [])

  const { top: largest, step } = chartScale(values)
  const empty = values.every((value) => value === 0n)
  const ticks = Array.from({ length: empty ? 1 : Number(largest / step) + 1 }, (_, index) => step * BigInt(index))
  const start = 12 + 6.4 * Math.max(...ticks.map((tick) => exactTon(tick, language).length))
  const plot = height - top - bottom
  const slot = (width - start - end) / 48
  const y = (value: bigint): number => top + plot * (1 - share(value, largest))
  const now = start + ((nowMs - new Date(nowMs).setHours(0, 0, 0, 0)) / 86_400_000) * 48 * slot

  return (
    <div ref={box}>
      <svg className="chart block" width={width} height={height} role="img" aria-label={summary}>
        {ticks.map((tick) => (
          <g key={tick.toString()}>
            <text x={start - 10} y={y(tick) + 4} textAnchor="end">
              {exactTon(tick, language)}
            </text>
            <line
              x1={start}
              x2={width - end}
              y1={y(tick)}
              y2={y(tick)}
              stroke="var(--c-line)"
              strokeDasharray={tick === 0n ? undefined : '1.5 4'}
              strokeLinecap="round"
            />
          </g>
        ))}
        {[0, 8, 16, 24, 32, 40].map((index) => (
          <text key={index} x={start + (index + 0.5) * slot} y={height - 6} textAnchor="middle">
            {format.clock(halfHourMs(index))}
          </text>
        ))}
        <text x={width - end} y={height - 6} textAnchor="end">
          {format.clock(halfHourMs(48))}
        </text>
        {/* Behind the threads: the one of the present half hour must not look cut. */}
        <line x1={now} x2={now} y1={top - 6} y2={height - bottom} stroke="var(--c-ink)" strokeWidth="1.5" />
        {values.map((value, index) =>
          value === 0n ? null : (
            <line
              // biome-ignore lint/suspicious/noArrayIndexKey: the place in the array is the half hour
              key={index}
              x1={start + (index + 0.5) * slot}
              x2={start + (index + 0.5) * slot}
              y1={height - bottom - 3}
              y2={Math.min(y(value) + 3, height - bottom - 3.01)}
              stroke="var(--c-accent)"
              strokeWidth="6"
              strokeLinecap="round"
            />
          ),
        )}
        <text
          x={now + (now > width - 60 ? -6 : 6)}
          y={top + 2}
          textAnchor={now > width - 60 ? 'end' : 'start'}
          style={{ fill: 'var(--c-ink)', fontWeight: 620 }}
        >
          {format.clock(nowMs)}
        </text>
      </svg>
    </div>
  )
}
