import { Monitor, RefreshCw } from 'lucide-react'
import type { LevelView } from '../../../preload/api/chat.ts'
import { useCall } from '../api/use-call.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNote } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { sealTone } from './level.ts'

interface FailedNoteProps {
  state: LevelView
  onWhy(): void
  onThisComputer(): void
}

/** Ways on after a check that failed (ui.md §3.3). A wider level is never one of them. */
export function FailedNote({ state, onWhy, onThisComputer }: FailedNoteProps) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const again = useCall('chat.checkAgain')
  // A level that cannot be used says why by itself, and no check of it matters: note and seal must not tell two things.
  if (state.seal.phase !== 'failed' || sealTone(state.level, state) !== 'failed') return null
  const { text, words } = state.seal.reason
  return (
    <div className="mb-3">
      <ErrorNote title={t('seal.failedText')}>
        <p>{said(text, words)}</p>
        <div className="mt-2 flex flex-wrap gap-2">
          <Button
            size="sm"
            icon={<Icon of={RefreshCw} size={15} />}
            disabled={again.running}
            onClick={() => void again.run({ level: state.level })}
          >
            {t('sheet.checkAgain')}
          </Button>
          {state.level === 'computer' ? null : (
            <Button size="sm" icon={<Icon of={Monitor} size={15} />} onClick={onThisComputer}>
              {t('action.useComputer')}
            </Button>
          )}
          <Button kind="ghost" size="sm" onClick={onWhy}>
            {t('seal.why')}
          </Button>
        </div>
      </ErrorNote>
    </div>
  )
}
