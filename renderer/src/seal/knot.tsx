import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import { useTexts } from '../messages/texts.tsx'
import { levelName, pastTone } from './level.ts'
import { LevelGlyph } from './seal-glyph.tsx'

interface KnotProps {
  level: PrivacyLevel
  /** How many messages stand above and went along. */
  above: number
  /** Of another program, that reads from here on. */
  engine: string | undefined
}

/** Drawn in the margin where the level changes. */
export function Knot({ level, above, engine }: KnotProps) {
  const { t } = useTexts()
  return (
    <div className={`knot thread tone-${pastTone(level, engine)}`}>
      <span className="knot-glyph">
        <LevelGlyph level={level} />
      </span>
      <span>
        <b>{t('knot.from', { level: t(levelName[level]) })}</b>{' '}
        {t(`knot.${engine === undefined ? level : 'external'}`, { n: above })}
      </span>
    </div>
  )
}
