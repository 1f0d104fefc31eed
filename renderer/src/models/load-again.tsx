import { RotateCw } from 'lucide-react'
import type { ModelState } from '../../../preload/api/system.ts'
import { useCall } from '../api/use-call.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Button } from '../ui/button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'

/** Why the engine gave the chosen model up, and when it is tried again. */
export function StoppedText({ stopped }: { stopped: NonNullable<ModelState['stopped']> }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  const { reason, reasonWords, nextTryAtMs } = stopped
  return (
    <p>
      {said(reason, reasonWords)}
      {nextTryAtMs === null ? null : ` ${t('engine.nextTry', { time: format.clock(nextTryAtMs, true) })}`}
    </p>
  )
}

/** Loads the chosen model now, without waiting for the app to try by itself. */
export function LoadAgainButton({ size }: { size: 'sm' | 'lg' }) {
  const { t } = useTexts()
  const call = useCall('engine.loadAgain')
  return (
    <>
      {call.error ? <Refusal error={call.error} /> : null}
      <Button
        size={size}
        {...(size === 'lg' && { kind: 'primary' as const })}
        icon={<Icon of={RotateCw} size={size === 'lg' ? 18 : 14} />}
        disabled={call.running}
        onClick={() => void call.run({})}
      >
        {t('engine.loadAgain')}
      </Button>
    </>
  )
}
