import type { Rounding } from '../format/ton.ts'
import { useFormat } from '../format/use-format.ts'

/** An amount in figure form, with the exact form in its tooltip. */
export function Money({ nano, rounding = 'down', className = '' }: { nano: bigint; rounding?: Rounding; className?: string }) {
  const format = useFormat()
  return (
    <span className={`num whitespace-nowrap ${className}`} title={format.exact(nano)}>
      {format.figure(nano, rounding)}
    </span>
  )
}

/** An amount as a screen's figure: the unit is smaller. */
export function Figure({ nano }: { nano: bigint }) {
  const format = useFormat()
  return (
    <span className="figure-value num" title={format.exact(nano)}>
      {format.figureValue(nano)}
      <span className="figure-unit">TON</span>
    </span>
  )
}
