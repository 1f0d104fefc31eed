import { useTexts } from '../../messages/texts.tsx'

/** Six words that belong to one key: the same on both screens, or it is another device. */
export function Fingerprint({ words }: { words: string }) {
  const { t } = useTexts()
  return (
    <p className="mono text-xs text-ink-2" title={t('devices.fingerprintTip')} lang="en">
      {words}
    </p>
  )
}
