import type { ModelFit } from '../../../preload/api/model-fit.ts'
import { useAnswer } from '../api/use-call.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { Bar } from '../ui/bar.tsx'
import { contextText } from './model-filter.ts'

/** How a model fits: weights and context against the memory of the device, a word, and the number (ui.md §5.3). */
export function FitCell({ fit, isHere }: { fit: ModelFit | undefined; isHere: boolean }) {
  const { t } = useTexts()
  const format = useFormat()
  // No download tells more of a file that is here and cannot be read.
  if (!fit) return <span className="text-ink-3">{isHere ? '–' : t('fit.unknown')}</span>
  const need = format.bytes(fit.needBytes)
  const context = contextText(fit.contextTokens)
  const word = fit.word === 'too-big' ? t(`fit.too-big.${fit.device}`) : t(`fit.${fit.word}`)
  return (
    <div className="fit num">
      {fit.word === 'too-big' ? (
        <div className="bar bar-hatched" style={{ height: 8 }} aria-hidden="true" />
      ) : (
        <Bar
          height={8}
          percent={(100 * fit.weightsBytes) / fit.deviceBytes}
          second={(100 * fit.contextBytes) / fit.deviceBytes}
        />
      )}
      <p className="mt-1.5 flex flex-wrap justify-between gap-x-2 text-xs">
        <b>{word}</b>
        <span className="text-ink-3">{t(fit.rough ? 'fit.needsAbout' : 'fit.needs', { need, context })}</span>
      </p>
      {fit.split ? <p className="text-xs text-ink-3">{t('fit.split', { onGpu: fit.split.onGpu, of: fit.split.of })}</p> : null}
    </div>
  )
}

/** What the bars are measured against. */
export function useDeviceName(fits: readonly (ModelFit | undefined)[]): string {
  const { t } = useTexts()
  const format = useFormat()
  const cards = useAnswer('hardware.facts', {})?.gpus ?? []
  const fit = fits.find((one) => one !== undefined)
  if (!fit) return t('column.fit')
  if (fit.device === 'cpu') return t('column.fitOn', { device: t('fit.processor'), memory: format.bytes(fit.deviceBytes) })
  const card = cards.find(({ memoryBytes }) => memoryBytes === fit.deviceBytes)
  // Memory of a GPU is counted in GiB by its driver and on its box, and shown so.
  const memory = t('unit.GB', { value: String(Math.round(fit.deviceBytes / 2 ** 30)) })
  return t('column.fitOn', { device: card?.name ?? t('fit.gpu'), memory })
}
