import { useStream } from '../../api/use-stream.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Skeleton } from '../../ui/skeleton.tsx'
import { AddEngine } from './add-engine.tsx'
import { EngineList } from './engine-list.tsx'

/** Settings, Engines: those of other programs, and which of their models the chats use. */
export function Engines() {
  const { t } = useTexts()
  const { value: state, error } = useStream('engines.state', {})
  if (!state) return error ? <Refusal error={error} /> : <Skeleton awaited={t('settings.loading')} lines={4} />
  return (
    <div className="flex flex-col gap-4">
      <AddEngine />
      <EngineList state={state} />
    </div>
  )
}
