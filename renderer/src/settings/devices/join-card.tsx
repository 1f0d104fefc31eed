import { useEffect, useState } from 'react'
import type { DevicesState } from '../../../../preload/api/devices.ts'
import { useCall } from '../../api/use-call.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Button } from '../../ui/button.tsx'
import { Refusal } from '../../ui/error-note.tsx'

/** This computer as a guest: the address and the words that the other one shows. */
export function JoinCard({ state }: { state: DevicesState }) {
  const { t } = useTexts()
  const join = useCall('devices.join')
  const [address, setAddress] = useState('')
  const [words, setWords] = useState('')
  const paired = state.outcome?.result === 'paired' && state.outcome.role === 'host'
  // The words were good for one pairing.
  useEffect(() => {
    if (!paired) return
    setAddress('')
    setWords('')
  }, [paired])
  const wholeCode = address.trim().startsWith('cocoon-pair:')
  const ready = address.trim() !== '' && (wholeCode || words.trim() !== '') && !state.joining && !join.running
  return (
    <section className="card" aria-label={t('devices.join')}>
      <form
        className="flex flex-col gap-3 p-[1.125rem]"
        onSubmit={(event) => {
          event.preventDefault()
          if (ready) void join.run({ address: address.trim(), words: words.trim() })
        }}
      >
        <div>
          <h2>{t('devices.join')}</h2>
          <p className="text-sm text-ink-2">{t('devices.joinText')}</p>
        </div>
        <label className="flex flex-col gap-1.5 text-sm text-ink-2">
          {t('devices.address')}
          <span className="field mono">
            <input
              value={address}
              maxLength={600}
              placeholder="192.168.1.5:4812"
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setAddress(event.target.value)}
              className="text-ink"
            />
          </span>
        </label>
        {wholeCode ? null : (
          <label className="flex flex-col gap-1.5 text-sm text-ink-2">
            {t('devices.words')}
            <span className="field">
              <input
                value={words}
                maxLength={200}
                autoComplete="off"
                spellCheck={false}
                onChange={(event) => setWords(event.target.value)}
                className="text-ink"
              />
            </span>
          </label>
        )}
        {join.error ? <Refusal error={join.error} /> : null}
        <div className="flex justify-end">
          <Button kind="primary" type="submit" disabled={!ready}>
            {t(state.joining ? 'devices.joining' : 'devices.connect')}
          </Button>
        </div>
      </form>
    </section>
  )
}
