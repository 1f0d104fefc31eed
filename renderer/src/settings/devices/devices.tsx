import type { DevicesState } from '../../../../preload/api/devices.ts'
import { useStream } from '../../api/use-stream.ts'
import { isolated } from '../../format/plain-label.ts'
import { useTexts } from '../../messages/texts.tsx'
import { useCoreWords } from '../../messages/use-core-words.ts'
import { ErrorNote, Refusal } from '../../ui/error-note.tsx'
import { Skeleton } from '../../ui/skeleton.tsx'
import { DeviceList } from './device-list.tsx'
import { JoinCard } from './join-card.tsx'
import { RequestDialog } from './request-dialog.tsx'
import { SharingCard } from './sharing-card.tsx'

/** Settings, Devices (ui.md §5.6): who may use this computer's engine, whose engine this computer uses, and how two are paired. */
export function Devices() {
  const { t } = useTexts()
  const { value: state, error } = useStream('devices.state', {})
  if (!state) return error ? <Refusal error={error} /> : <Skeleton awaited={t('settings.loading')} lines={4} />
  return (
    <div className="flex flex-col gap-4">
      <Outcome outcome={state.outcome} />
      <SharingCard state={state} />
      <JoinCard state={state} />
      <DeviceList devices={state.devices} />
      {state.request ? <RequestDialog key={state.request.id} request={state.request} own={state.fingerprint} /> : null}
    </div>
  )
}

function Outcome({ outcome }: { outcome: DevicesState['outcome'] }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  if (!outcome) return null
  if (outcome.result === 'failed') return <ErrorNote title={said(outcome.reason, outcome.reasonWords)} />
  return (
    <div className="banner banner-plain" role="status">
      <p>{t(outcome.role === 'guest' ? 'devices.pairedGuest' : 'devices.pairedHost', { name: isolated(outcome.name) })}</p>
    </div>
  )
}
