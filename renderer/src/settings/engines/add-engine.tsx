import { type ReactNode, useState } from 'react'
import { engineKey, engineName } from '../../../../preload/api/engines.ts'
import { useCall } from '../../api/use-call.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Button } from '../../ui/button.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { AwayDialog } from './away-dialog.tsx'

/** A new engine by its address. Nothing is sent to one on another computer before the user agreed. */
export function AddEngine() {
  const { t } = useTexts()
  const add = useCall('engines.add')
  const [name, setName] = useState('')
  const [url, setUrl] = useState('')
  const [key, setKey] = useState('')
  const ready =
    engineName.safeParse(name).success && url.trim() !== '' && (key === '' || engineKey.safeParse(key).success) && !add.running
  const save = async (understood?: true): Promise<void> => {
    const wish = { name: name.trim(), url: url.trim(), ...(key !== '' && { key }), ...(understood && { understood }) }
    if ((await add.run(wish)) === null) return
    setName('')
    setUrl('')
    setKey('')
  }
  return (
    <section className="card" aria-label={t('engines.add')}>
      <form
        className="flex flex-col gap-3 p-[1.125rem]"
        onSubmit={(event) => {
          event.preventDefault()
          if (ready) void save()
        }}
      >
        <div>
          <h2>{t('engines.add')}</h2>
          <p className="text-sm text-ink-2">{t('engines.addText')}</p>
        </div>
        <Field text={t('engines.name')}>
          <input value={name} maxLength={30} placeholder="ollama" onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field text={t('engines.url')}>
          <input
            value={url}
            maxLength={500}
            placeholder="http://127.0.0.1:11434/v1"
            onChange={(event) => setUrl(event.target.value)}
          />
        </Field>
        <Field text={t('engines.key')}>
          <input type="password" value={key} maxLength={500} onChange={(event) => setKey(event.target.value)} />
        </Field>
        {add.error && add.error.code !== 'needs-consent' ? <Refusal error={add.error} /> : null}
        <div className="flex justify-end">
          <Button kind="primary" type="submit" disabled={!ready}>
            {t('engines.addNow')}
          </Button>
        </div>
      </form>
      <AwayDialog error={add.error} onLeave={add.clear} onConfirm={() => void save(true)} />
    </section>
  )
}

function Field({ text, children }: { text: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child.
    <label className="flex flex-col gap-1.5 text-sm text-ink-2">
      {text}
      <span className="field">{children}</span>
    </label>
  )
}
