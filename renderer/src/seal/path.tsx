import { Eye, Monitor } from 'lucide-react'
import { Fragment } from 'react'
import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import { type MessageId, useTexts } from '../messages/texts.tsx'
import { Icon } from '../ui/icon.tsx'
import type { Reading, SealTone } from './level.ts'
import { CheckingGlyph, FailedGlyph, LevelGlyph } from './seal-glyph.tsx'

interface Stop {
  readonly name: MessageId
  readonly role: MessageId
  /** While that is not earned. */
  readonly unearned?: MessageId
}

const me: Stop = { name: 'path.me.name', role: 'path.me.role' }
const program: Stop = { name: 'path.program.name', role: 'path.program.role' }
const stops: Record<Reading, readonly Stop[]> = {
  computer: [{ name: 'path.me.name', role: 'path.me.alone' }],
  devices: [me, { name: 'path.device.name', role: 'path.device.role' }],
  attested: [
    me,
    { name: 'path.proxy.name', role: 'path.proxy.attested', unearned: 'path.proxy.open' },
    { name: 'path.worker.name', role: 'path.worker.attested', unearned: 'path.worker.unearned' },
  ],
  open: [me, { name: 'path.proxy.name', role: 'path.proxy.open' }, { name: 'path.stranger.name', role: 'path.worker.open' }],
  openReadable: [
    me,
    { name: 'path.proxy.name', role: 'path.proxy.readable' },
    { name: 'path.stranger.name', role: 'path.worker.open' },
  ],
  external: [me, program],
  practice: [me, { name: 'path.proxy.name', role: 'path.proxy.role' }, { name: 'path.worker.name', role: 'path.worker.role' }],
}

interface PathProps {
  level: PrivacyLevel
  /** Who could read on the way; see `readingAt`. */
  reading: Reading
  tone: SealTone
  /** An engine of another program answers for the worker of the practice network. */
  isServed?: boolean
}

/** The way a message goes. At level 1 it goes nowhere. */
export function Path({ level, reading, tone, isServed = false }: PathProps) {
  const { t } = useTexts()
  const isEarned = tone !== 'checking' && tone !== 'failed'
  return (
    <div
      className={`tone-${tone} flex justify-center`}
      role="img"
      aria-label={t(
        isServed ? 'path.practiceProgram' : level === 'attested' && !isEarned ? 'path.attestedUnearned' : `path.${reading}`,
      )}
    >
      {(isServed ? [...stops[reading], program] : stops[reading]).map(({ name, role, unearned = role }, index) => (
        <Fragment key={name}>
          {index > 0 ? <span className="path-line" /> : null}
          <span className="path-node w-[118px]">
            <span className="path-disc" data-me={index === 0}>
              {index === 0 ? (
                <Icon of={Monitor} size={22} />
              ) : name === 'path.stranger.name' || role === 'path.proxy.readable' ? (
                <Icon of={Eye} size={22} />
              ) : tone === 'failed' ? (
                <FailedGlyph size={22} />
              ) : tone === 'checking' ? (
                <CheckingGlyph size={22} />
              ) : (
                <LevelGlyph level={level} size={22} />
              )}
            </span>
            <b className="text-sm">{t(name)}</b>
            <span className="text-xs text-ink-3">{t(isEarned ? role : unearned)}</span>
          </span>
        </Fragment>
      ))}
    </div>
  )
}
