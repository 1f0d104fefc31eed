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

/** Two cocoons: a device of one's own. */
export function DevicesGlyph({ size = 16 }: GlyphProps) {
  const mask = useId()
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <defs>
        <mask id={mask}>
          <rect width="20" height="20" fill="#fff" />
          <g transform="translate(13.2 11.8) rotate(36)">
            <ellipse rx="4.9" ry="6.7" fill="#000" />
          </g>
        </mask>
      </defs>
      <g mask={`url(#${mask})`}>
        <g transform="translate(7.2 8) rotate(36)">
          <ellipse rx="3.9" ry="5.7" fill="currentColor" />
        </g>
      </g>
      <g stroke="currentColor" strokeWidth="1.5" transform="translate(13.2 11.8) rotate(36)">
        <ellipse rx="3.4" ry="5.2" />
      </g>
    </svg>
  )
}

/** Cocoon with a check: verified machines. */
export function AttestedGlyph({ size = 16, winding = false }: GlyphProps) {
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <g stroke="currentColor" strokeLinecap="round" strokeLinejoin="round" strokeWidth="1.6">
        <g transform={turned}>
          <ellipse rx="5.4" ry="7.9" className={winding ? 'winding' : ''} />
        </g>
        <path d="M7 10.3l2.2 2.2 4-4.6" />
      </g>
    </svg>
  )
}

/** Unwound cocoon with an eye: somebody else could read. */
export function OpenGlyph({ size = 16 }: GlyphProps) {
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <g stroke="currentColor" strokeLinecap="round" strokeLinejoin="round" strokeWidth="1.6">
        <g transform="translate(10 9) rotate(36)">
          <path d="M-1.4 7.3A4.9 7.2 0 1 1 3.4 5.2" />
        </g>
        <path d="M7.2 14.2C8 17.2 12.6 18.8 18 16.4" />
        <circle cx="10.2" cy="8.6" r="1.4" fill="currentColor" stroke="none" />
      </g>
    </svg>
  )
}

/** Cocoon with a way out of it: another program. */
export function ExternalGlyph({ size = 16 }: GlyphProps) {
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <g stroke="currentColor" strokeLinecap="round" strokeLinejoin="round" strokeWidth="1.6">
        <g transform="translate(8 10) rotate(36)">
          <ellipse rx="4.6" ry="7" />
        </g>
        <path d="M8.5 10h9M14.8 7.2l2.8 2.8-2.8 2.8" />
      </g>
    </svg>
  )
}

/** Cocoon with a cross: a check failed. */
export function FailedGlyph({ size = 16 }: GlyphProps) {
  return (
    <svg {...svg} aria-hidden="true" width={size} height={size}>
      <g stroke="currentColor" strokeLinecap="round" strokeLinejoin="round" strokeWidth="1.6">
        <g transform={turned}>
          <ellipse rx="5.4" ry="7.9" />
        </g>
        <path d="M7.8 7.8l4.4 4.4M12.2 7.8l-4.4 4.4" />
      </g>
    </svg>
  )
}

const glyphs: Record<PrivacyLevel, (props: GlyphProps) => React.ReactNode> = {
  computer: LocalGlyph,
  devices: DevicesGlyph,
  attested: AttestedGlyph,
  open: OpenGlyph,
  practice: PracticeGlyph,
  external: ExternalGlyph,
}

export function LevelGlyph({ level, ...rest }: GlyphProps & { level: PrivacyLevel }) {
  const Glyph = glyphs[level]
  return <Glyph {...rest} />
}
