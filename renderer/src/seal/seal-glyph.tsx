import { useId } from 'react'
import type { PrivacyLevel } from '../../../preload/api/chat.ts'

interface GlyphProps {
  size?: number
  /** Draws the winding once: when a seal was just earned. */
  winding?: boolean
}

const svg = { viewBox: '0 0 20 20', fill: 'none', className: 'flex-none' } as const
const turned = 'translate(10 10) rotate(36)'

/** Solid cocoon: on this computer. */
export function LocalGlyph({ size = 16, winding = false }: GlyphProps) {
  const mask = useId()
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <defs>
        <mask id={mask}>
          <rect width="20" height="20" fill="#fff" />
          <g transform={turned} stroke="#000" strokeWidth="1.3">
            <path d="M-6 -3.2C-2.6 -.8 2.6 -.6 6 -1.4" />
            <path d="M-6.4 1.2C-2.6 3.6 2.4 4 6 3.4" />
          </g>
        </mask>
      </defs>
      <g mask={`url(#${mask})`}>
        <g transform={turned}>
          <ellipse rx="5.4" ry="7.9" fill="currentColor" />
        </g>
      </g>
      {winding ? (
        <g transform={turned}>
          <ellipse rx="5.4" ry="7.9" stroke="currentColor" strokeWidth="1.6" className="winding" />
        </g>
      ) : null}
    </svg>
  )
}

/** Outlined cocoon with its windings and no check: the practice network. */
export function PracticeGlyph({ size = 16 }: GlyphProps) {
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <g transform={turned} stroke="currentColor" strokeLinecap="round" strokeWidth="1.5">
        <ellipse rx="5.2" ry="7.7" />
        <path d="M-4.6 -3.6C-2 -1.6 2.4 -1.2 5 -2" />
        <path d="M-5 1.6C-2.2 3.6 2.2 4 4.7 3.4" />
      </g>
    </svg>
  )
}

/** Dashed ring: not earned (yet). */
export function CheckingGlyph({ size = 16 }: GlyphProps) {
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <g transform={turned} stroke="currentColor" strokeLinecap="round" strokeWidth="1.6" strokeDasharray="2.4 3.1">
        <ellipse rx="5.4" ry="7.9" />
      </g>
    </svg>
  )
}

export function LevelGlyph({ level, ...rest }: GlyphProps & { level: PrivacyLevel }) {
  return level === 'computer' ? <LocalGlyph {...rest} /> : <PracticeGlyph {...rest} />
}
