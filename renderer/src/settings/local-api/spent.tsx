import { isFree } from '../../../../preload/api/chat.ts'
import type { GatewayKey } from '../../../../preload/api/gateway.ts'
import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'

/** What a key spent today of what it may; one that pays for nothing has no limit to show. */
export function Spent({ of: { level, dailyLimit, today } }: { of: Pick<GatewayKey, 'level' | 'dailyLimit' | 'today'> }) {
  const { t } = useTexts()
  const format = useFormat()
  const { spent, unsure, reserved } = today
  // What it spent before it was narrowed is still told.
  if (isFree(level) && spent + unsure + reserved === 0n) return <>{t('api.free')}</>
  return (
    <>
      <span title={t('api.spentExact', { spent: format.exact(spent), limit: format.exact(dailyLimit) })}>
        {t('api.spentOf', { spent: format.figure(spent, 'up'), limit: format.figure(dailyLimit) })}
      </span>
      {reserved > 0n ? (
        <div className="text-xs text-ink-3">{t('api.reserved', { amount: format.figure(reserved, 'up') })}</div>
      ) : null}
      {unsure > 0n ? <div className="text-xs text-ink-3">{t('api.unsure', { amount: format.figure(unsure, 'up') })}</div> : null}
    </>
  )
}
