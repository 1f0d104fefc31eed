import type { ReactNode } from 'react'

/** A part that scrolls by itself. It is named and can be focused, so that its content can be reached by keys. */
export function ScrollRegion({ label, className, children }: { label: string; className: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling part must be reachable by keys
    <section tabIndex={0} aria-label={label} className={className}>
      {children}
    </section>
  )
}
