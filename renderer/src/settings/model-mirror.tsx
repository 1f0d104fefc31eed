import { useState } from 'react'
import { useCall } from '../api/use-call.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { Refusal } from '../ui/error-note.tsx'

/** An address that is asked for files of models before the hub that the catalog names. */
export function ModelMirror({ mirror }: { mirror: string | null }) {
  const { t } = useTexts()
  const set = useCall('settings.set')
  const [address, setAddress] = useState(mirror ?? '')
  const text = address.trim()
  return (
    <section className="card">
      <form
        className="p-[1.125rem]"
        onSubmit={(event) => {
          event.preventDefault()
          void set.run({ modelMirror: text === '' ? null : text })
        }}
      >
        <h2>{t('settings.mirror.name')}</h2>
        <p className="text-sm text-ink-2">{t('settings.mirror.text')}</p>
        <div className="mt-3 flex flex-wrap items-end gap-2">
          <label className="flex min-w-[220px] flex-1 flex-col gap-1.5 text-sm text-ink-2">
            {t('settings.mirror.address')}
            <span className="field mono">
              <input value={address} onChange={(event) => setAddress(event.target.value)} className="text-ink" />
            </span>
          </label>
          <Button type="submit" disabled={text === (mirror ?? '') || set.running}>
            {t('action.save')}
          </Button>
        </div>
        {set.error ? (
          <div className="mt-3">
            <Refusal error={set.error} />
          </div>
        ) : null}
      </form>
    </section>
  )
}
