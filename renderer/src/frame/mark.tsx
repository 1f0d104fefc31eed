import { useId } from 'react'

/** The mark: one thread wound around something worth protecting. */
export function Mark({ size = 19, className = '' }: { size?: number; className?: string }) {
  return (
    <svg viewBox="0 0 24 24" width={size} height={size} fill="none" aria-hidden="true" className={`flex-none ${className}`}>
      <g stroke="currentColor" strokeLinecap="round" strokeLinejoin="round" strokeWidth="1.75">
        <g transform="translate(12.2 10.4) rotate(36)">
          <ellipse rx="5.9" ry="8.7" />
          <path d="M-5 -4.6C-2 -1.7 2.6 -1.3 5.7 -2.2" />
          <path d="M-5.9 .3C-2.6 3.3 2.2 4 5.3 3.7" />
        </g>
        <path d="M7.1 17.4C8.6 21 14.2 22.6 21 19.4" />
      </g>
    </svg>
  )
}

export type TrayGlyphKind = 'earning' | 'idle' | 'paused' | 'error'

/** The glyph of the system's tray, in the window. */
export function TrayGlyph({ kind, size = 20 }: { kind: TrayGlyphKind; size?: number }) {
  const mask = useId()
  const tail = <path d="M4.6 11.6C5.6 14 9.4 15 14.2 12.9" strokeWidth="1.4" />
  const hollow = <ellipse rx="3.9" ry="5.8" strokeWidth="1.4" transform="translate(8 7) rotate(36)" />
  return (
    <svg viewBox="0 0 16 16" width={size} height={size} fill="none" aria-hidden="true" className="flex-none">
      <defs>
        <mask id={mask}>
          <rect width="16" height="16" fill="#fff" />
          {kind === 'earning' ? (
            <g transform="translate(8 7) rotate(36)" stroke="#000" strokeWidth="1.25">
              <path d="M-5 -3C-2 -.9 2 -.6 5 -1.4" />
              <path d="M-5.4 .6C-2 2.7 2 3.2 5 2.8" />
            </g>
          ) : null}
          {kind === 'error' ? <circle cx="12" cy="12" r="4.9" fill="#000" /> : null}
        </mask>
      </defs>
      <g stroke="currentColor" strokeLinecap="round" strokeLinejoin="round">
        {kind === 'earning' ? (
          <g mask={`url(#${mask})`}>
            <ellipse rx="4.6" ry="6.5" fill="currentColor" stroke="none" transform="translate(8 7) rotate(36)" />
          </g>
        ) : null}
        {kind === 'error' ? (
          <>
            <g mask={`url(#${mask})`}>
              {hollow}
              {tail}
            </g>
            <circle cx="12" cy="12" r="3.4" strokeWidth="1.2" />
            <path d="M12 10.3v1.9M12 13.7v.1" strokeWidth="1.3" />
          </>
        ) : (
          tail
        )}
        {kind === 'idle' || kind === 'paused' ? hollow : null}
        {kind === 'paused' ? <path d="M6.75 5v4.2M9.4 5v4.2" strokeWidth="1.5" strokeLinecap="butt" /> : null}
      </g>
    </svg>
  )
}
