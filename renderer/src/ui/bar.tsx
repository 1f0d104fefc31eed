/** A share of a whole as a bar. The words beside it carry the number; for a measuring device use `Gauge`. */
export function Bar({ percent, second, height = 6 }: { percent: number; second?: number; height?: number }) {
  return (
    <div className="bar" style={{ height }} aria-hidden="true">
      <i style={{ width: `${clamp(percent)}%` }} />
      {second === undefined ? null : <i style={{ width: `${clamp(second)}%` }} />}
    </div>
  )
}

interface GaugeProps {
  label: string
  value: string
  /** In words for a screen reader, with what it is measured against. */
  valueText: string
  rest?: string
  percent: number
}

export function Gauge({ label, value, valueText, rest, percent }: GaugeProps) {
  return (
    <div className="gauge num">
      <span className="text-ink-2">{label}</span>
      <span>
        <b>{value}</b> {rest ? <span className="text-ink-3">{rest}</span> : null}
      </span>
      {/* biome-ignore lint/a11y/useSemanticElements: the meter element cannot be drawn as this bar is */}
      <div
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(clamp(percent))}
        aria-valuetext={valueText}
        className="bar"
      >
        <i style={{ width: `${clamp(percent)}%` }} />
      </div>
    </div>
  )
}

const clamp = (percent: number): number => Math.min(100, Math.max(0, percent))
