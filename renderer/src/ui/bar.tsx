/** A share of a whole as a bar. The words beside it carry the number; for a measuring device use `Gauge`. */
export function Bar({ percent, second = 0, height = 6 }: { percent: number; second?: number; height?: number }) {
  return (
    <div className="bar" style={{ height }} aria-hidden="true">
      {/* A part of nothing is not drawn: the line that parts it from the next one would cut a full bar. */}
      {[percent, second].map((share, index) =>
        share > 0 ? (
          <i key={index === 0 ? 'first' : 'second'} data-part={index + 1} style={{ width: `${clamp(share)}%` }} />
        ) : null,
      )}
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
