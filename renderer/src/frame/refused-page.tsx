import { useTexts } from '../messages/texts.tsx'
import { Mark } from './mark.tsx'

/** The core does not accept this browser: only a new one-time link helps. */
export function RefusedPage() {
  const { t } = useTexts()
  return (
    <main className="flex h-full items-center justify-center p-6">
      <div className="card max-w-[460px] p-8">
        <Mark size={32} className="text-accent" />
        <h1 className="mt-4">{t('refused.title')}</h1>
        <p className="mt-2 text-ink-2">{t('refused.text')}</p>
      </div>
    </main>
  )
}
