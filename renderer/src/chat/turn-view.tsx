import { CircleAlert, Monitor, ReceiptText, RefreshCw } from 'lucide-react'
import { memo } from 'react'
import { isFree, type Turn } from '../../../preload/api/chat.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { levelName, pastTone } from '../seal/level.ts'
import { LevelGlyph } from '../seal/seal-glyph.tsx'
import { TurnSealMark } from '../seal/turn-seal.tsx'
import { Button, IconButton } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Icon } from '../ui/icon.tsx'
import { Tip } from '../ui/tip.tsx'
import { Markdown } from './markdown.tsx'

interface TurnViewProps {
  turn: Turn
  isLast: boolean
  computerReady: boolean
  onRetry(): void
  onThisComputer(): void
  onReceipt(): void
}

export const TurnView = memo(
  function TurnView({ turn, isLast, computerReady, onRetry, onThisComputer, onReceipt }: TurnViewProps) {
    const { t } = useTexts()
    const tone = `thread tone-${pastTone(turn.level, turn.engine)}`
    const running = turn.status === 'waiting' || turn.status === 'streaming'
    return (
      <article aria-label={t('chat.turnOf', { question: turn.question.slice(0, 80) })}>
        <div className={`turn ${tone}`} data-level={turn.level}>
          <h2 className="turn-who">{t('chat.you')}</h2>
          <div className="turn-text turn-question">{turn.question}</div>
        </div>
        <div className={`turn ${tone}`} data-level={turn.level}>
          <h2 className="turn-who">{turn.model || t('chat.answer')}</h2>
          <div className="turn-text" aria-busy={running} data-testid="answer">
            {turn.answer ? <Markdown text={turn.answer} streaming={running} /> : null}
            {turn.status === 'waiting' || (running && !turn.answer) ? (
              <p className="text-ink-3">
                {t('chat.waiting')}
                <span className="caret" />
              </p>
            ) : null}
          </div>
          {turn.status === 'stopped' ? <StopNote turn={turn} /> : null}
          {turn.cut ? <p className="mt-2 text-sm text-ink-2">{t('chat.cut', { n: turn.usage?.completionTokens ?? 0 })}</p> : null}
          {turn.error ? (
            <TurnFailure
              turn={turn}
              isLast={isLast}
              computerReady={computerReady}
              onRetry={onRetry}
              onThisComputer={onThisComputer}
            />
          ) : null}
          {running ? null : <Footer turn={turn} isLast={isLast} onRetry={onRetry} onReceipt={onReceipt} />}
        </div>
      </article>
    )
  },
  (a, b) => a.turn === b.turn && a.isLast === b.isLast && a.computerReady === b.computerReady,
)

/** What a stop did and costs (ui.md §13.5). */
function StopNote({ turn }: { turn: Turn }) {
  const { t } = useTexts()
  const n = turn.usage?.completionTokens ?? 0
  const text = isFree(turn.level) ? t('stop.free') : turn.stop === 'ended' ? t('stop.ended', { n }) : t('stop.hidden')
  return <p className="mt-2 text-sm text-ink-2">{text}</p>
}

function Footer({ turn, isLast, onRetry, onReceipt }: Pick<TurnViewProps, 'turn' | 'isLast' | 'onRetry' | 'onReceipt'>) {
  const { t } = useTexts()
  const format = useFormat()
  const { usage } = turn
  const details = usage
    ? [
        t('usage.in', { count: format.count(usage.promptTokens) }),
        t('usage.out', { count: format.count(usage.completionTokens) }),
        ...(usage.cachedTokens > 0 ? [t('usage.cached', { count: format.count(usage.cachedTokens) })] : []),
        ...(usage.reasoningTokens > 0 ? [t('usage.reasoning', { count: format.count(usage.reasoningTokens) })] : []),
        ...(usage.adjustedTokens === undefined ? [] : [t('usage.adjusted', { count: format.count(usage.adjustedTokens) })]),
        ...(turn.firstTokenMs === undefined ? [] : [t('usage.firstToken', { time: format.duration(turn.firstTokenMs) })]),
      ].join(', ')
    : ''
  const receipts = (turn.earlierReceipts?.length ?? 0) + (turn.receipt ? 1 : 0)
  const canRetry = isLast && turn.question !== '' && !turn.error
  return (
    <footer className="turn-meta num">
      <span className={`seal-ink tone-${pastTone(turn.level, turn.engine)} inline-flex items-center gap-1.5 font-medium`}>
        <LevelGlyph level={turn.level} size={15} />
        {t(levelName[turn.level])}
      </span>
      {turn.seal ? <TurnSealMark seal={turn.seal} /> : null}
      {turn.tokensPerSecond === undefined ? null : <span>{format.speed(turn.tokensPerSecond)}</span>}
      {usage ? (
        <Tip text={details}>
          <button type="button" className="rounded-xs" aria-description={details}>
            {t('usage.tokens', { n: usage.completionTokens, count: format.count(usage.completionTokens) })}
          </button>
        </Tip>
      ) : null}
      {usage ? (
        usage.cost === undefined ? (
          isFree(turn.level) ? (
            <span>{t('price.free')}</span>
          ) : null
        ) : (
          <span title={t('price.exact', { amount: format.exact(usage.cost) })}>{format.figure(usage.cost, 'up')}</span>
        )
      ) : null}
      {turn.earlierCost === undefined ? null : (
        <span title={t('price.exact', { amount: format.exact(turn.earlierCost) })}>
          {t('price.earlier', { amount: format.figure(turn.earlierCost, 'up') })}
        </span>
      )}
      <span className="ms-auto flex gap-0.5">
        {turn.answer ? <CopyButton value={turn.answer} label={t('chat.copyAnswer')} /> : null}
        {receipts > 0 ? (
          <IconButton
            small
            label={receipts === 1 ? t('receipt.save') : t('receipt.saveAll', { n: receipts })}
            onClick={onReceipt}
          >
            <Icon of={ReceiptText} size={15} />
          </IconButton>
        ) : null}
        {canRetry ? (
          <IconButton small label={t('action.tryAgain')} onClick={onRetry}>
            <Icon of={RefreshCw} size={15} />
          </IconButton>
        ) : null}
      </span>
    </footer>
  )
}

/** An answer that failed: what happened, what it means for the money, what to do, and the code behind "Show details". */
function TurnFailure({ turn, isLast, computerReady, onRetry, onThisComputer }: Omit<TurnViewProps, 'onReceipt'>) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const { error } = turn
  if (!error) return null
  const detail = error.detail ?? error.code
  // The same model, with the same limits, would refuse it here too.
  const helpsHere = turn.level !== 'computer' && computerReady && error.code !== 'context-too-small'
  return (
    <section className="card mt-2 p-4" aria-label={t('chat.answerFailed')}>
      <div className="flex gap-3">
        <Icon of={CircleAlert} size={18} className="mt-0.5 text-danger" />
        <div className="min-w-0 flex-1">
          <p className="font-semibold">{said(error.message, error.words ?? { code: error.code })}</p>
          <p className="text-ink-2">{said(error.money, error.moneyWords)}</p>
          <details className="mt-1 text-xs text-ink-3">
            <summary className="link inline-block min-h-7 py-1">{t('action.showDetails')}</summary>
            <p className="mono flex items-center gap-1">
              <span className="min-w-0 break-all">{detail}</span>
              <CopyButton value={detail} label={t('action.copyDetails')} />
            </p>
          </details>
          {isLast && (error.retryable || helpsHere) ? (
            <div className="mt-3 flex flex-wrap gap-2">
              {error.retryable ? (
                <Button icon={<Icon of={RefreshCw} />} onClick={onRetry}>
                  {t('action.tryAgain')}
                </Button>
              ) : null}
              {helpsHere ? (
                <Button kind="ghost" icon={<Icon of={Monitor} />} onClick={onThisComputer}>
                  {t('action.useComputer')}
                </Button>
              ) : null}
            </div>
          ) : null}
        </div>
      </div>
    </section>
  )
}
