import { useEffect, useState } from 'react'
import { useTexts } from '../messages/texts.tsx'

/** How long ago a time was, in words, kept up to date; undefined without a time. */
export function useAgo(atMs: number | undefined): string | undefined {
  const { t } = useTexts()
  const [nowMs, setNowMs] = useState(Date.now)
  useEffect(() => {
    if (atMs === undefined) return
    setNowMs(Date.now())
    const timer = setInterval(() => setNowMs(Date.now()), 5_000)
    return () => clearInterval(timer)
  }, [atMs])
  if (atMs === undefined) return undefined
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000))
  if (seconds < 5) return t('ago.now')
  if (seconds < 60) return t('ago.seconds', { n: seconds })
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? t('ago.minutes', { n: minutes }) : t('ago.hours', { n: Math.round(minutes / 60) })
}
