import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'

/**
 * What a limit of the day is compared with before each request, so that nobody sets one that lets none through.
 * @param least see `GatewayState.levels`
 */
export function LimitHint({ limit, least }: { limit: bigint | null; least: bigint | undefined }) {
  const { t } = useTexts()
  const format = useFormat()
  if (least === undefined) return null
  const isTooLow = limit !== null && limit < least
  return (
    <span {...(isTooLow && { role: 'alert' })} className={`text-xs ${isTooLow ? 'text-danger' : 'text-ink-3'}`}>
      {t(isTooLow ? 'api.limitTooLow' : 'api.limitAside', { least: format.figure(least, 'up') })}
    </span>
  )
}

/** Names that no model has now: one may come later, so they are told, not refused. */
export function UnknownModels({ names, known }: { names: readonly string[]; known: readonly string[] }) {
  const { t } = useTexts()
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length === 0) return null
  return (
    <span role="status" className="text-xs text-open [overflow-wrap:anywhere]">
      {t('api.modelsUnknown', { n: unknown.length, names: unknown.join(', ') })}
    </span>
  )
}
