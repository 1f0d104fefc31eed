import type { ReactNode } from 'react'

/** A part that scrolls by itself. It is named and can be focused, so that its content can be reached by keys; it is no landmark. */
export function ScrollRegion({ label, className, children }: { label: string; className: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for form fields
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling part must be reachable by keys
    <div role="group" tabIndex={0} aria-label={label} className={className}>
      {children}
    </div>
  )
}
