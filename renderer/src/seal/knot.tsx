import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import { useTexts } from '../messages/texts.tsx'
import { levelName, pastTone } from './level.ts'
import { LevelGlyph } from './seal-glyph.tsx'

/** Drawn in the margin where the level changes. @param above how many messages stand above and went along */
export function Knot({ level, above }: { level: PrivacyLevel; above: number }) {
  const { t } = useTexts()
  return (
    <div className={`knot thread tone-${pastTone(level)}`}>
      <span className="knot-glyph">
        <LevelGlyph level={level} />
      </span>
      <span>
        <b>{t('knot.from', { level: t(levelName[level]) })}</b> {t(`knot.${level}`, { n: above })}
      </span>
    </div>
  )
}
