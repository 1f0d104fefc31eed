import { Mail, MailOpen, TriangleAlert } from 'lucide-react'
import type { Turn } from '../../../preload/api/chat.ts'
import type { TurnSeal, UsageDeviation } from '../../../preload/api/seal.ts'
import { shortHash } from '../format/names.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Icon } from '../ui/icon.tsx'
import { Tip } from '../ui/tip.tsx'

/** Their sentences name numbers of the bill, which is there only where the worker stated its own: never in scheme v1. */
const withNumbers: ReadonlySet<UsageDeviation> = new Set([
  'stated-above-worker',
  'adjusted-wrongly',
  'completion-beyond-tolerance',
])

interface Leaving {
  /** How a question left. */
  readonly left: string
  readonly isBillWrong: boolean
  /** In what the bill does not fit to its answer, as far as the numbers for it are there. */
  readonly deviations: readonly string[]
}

function useLeaving(seal: TurnSeal | undefined): Leaving {
  const { t } = useTexts()
  const format = useFormat()
  if (seal === undefined) return { left: '', isBillWrong: false, deviations: [] }
  if (seal.scheme === 'none') return { left: t(`sent.none.${seal.reason}`), isBillWrong: false, deviations: [] }
  const { bill } = seal.scheme === 'direct' ? seal : {}
  const numbers = {
    stated: bill ? format.count(Number(bill.statedTokens)) : '',
    worker: bill ? format.count(Number(bill.workerTokens)) : '',
    answer: bill ? format.count(bill.answerTokens) : '',
    expected: bill ? format.count(bill.expectedTokens) : '',
    tolerated: bill ? format.count(bill.toleratedTokens) : '',
  }
  const left =
    seal.scheme === 'v1'
      ? t('sent.v1')
      : `${t('sent.direct', { owner: shortHash(seal.owner) })} ${t(`sent.attestation.${seal.attestation}`)}`
  const told = seal.deviations.filter((name) => bill !== undefined || !withNumbers.has(name))
  return { left, isBillWrong: seal.deviations.length > 0, deviations: told.map((name) => t(`bill.${name}`, numbers)) }
}

/** A quiet mark below an answer: how its question left, and whether its bill fits to it. */
export function TurnSealMark({ seal }: { seal: TurnSeal }) {
  const { t } = useTexts()
  const { left, isBillWrong, deviations } = useLeaving(seal)
  const why = [...deviations, t('bill.evidence')].join(' ')
  const mark = seal.scheme === 'none' ? MailOpen : Mail
  const name = seal.scheme === 'none' ? t('sent.readable') : seal.scheme === 'v1' ? left : t('sent.sealed')
  return (
    <>
      {seal.scheme === 'none' && seal.reason === 'not-sent' ? null : (
        <Tip text={left}>
          <button type="button" className="inline-flex items-center rounded-xs" aria-label={name} aria-description={left}>
            <Icon of={mark} size={14} />
          </button>
        </Tip>
      )}
      {isBillWrong ? (
        <Tip text={why}>
          <button type="button" className="inline-flex items-center gap-1 rounded-xs text-open" aria-description={why}>
            <Icon of={TriangleAlert} size={14} />
            {t('bill.not')}
          </button>
        </Tip>
      ) : null}
    </>
  )
}

/** In the verification sheet: how the last question left, to which key, and what is wrong with its bill. */
export function LastQuestion({ turn }: { turn: Turn | undefined }) {
  const { t } = useTexts()
  const seal = turn?.seal
  const { left, isBillWrong, deviations } = useLeaving(seal)
  if (seal === undefined) return null
  const facts: readonly (readonly [string, string])[] =
    seal.scheme === 'direct'
      ? [
          [t('sent.key'), seal.keyId],
          [t('sent.owner'), seal.owner],
        ]
      : seal.scheme === 'v1'
        ? [[t('sent.key'), seal.receiverKey]]
        : []
  return (
    <section className="flex flex-col gap-2">
      <h3 className="font-semibold">{t('sent.last')}</h3>
      <p className="text-sm text-ink-2">{left}</p>
      {facts.length === 0 ? null : (
        <dl className="evidence num">
          {facts.map(([name, value]) => (
            <div key={name} className="contents">
              <dt>{name}</dt>
              <dd className="mono" title={value}>
                {shortHash(value)}
              </dd>
              <dd>
                <CopyButton value={value} label={t('action.copyOf', { name })} />
              </dd>
            </div>
          ))}
        </dl>
      )}
      {isBillWrong ? (
        <div className="banner banner-danger">
          <Icon of={TriangleAlert} size={18} />
          <div>
            <p>
              <b>{t('bill.not')}</b>
            </p>
            {deviations.length === 0 ? null : (
              <ul>
                {deviations.map((sentence) => (
                  <li key={sentence}>{sentence}</li>
                ))}
              </ul>
            )}
            <p>{t('bill.evidence')}</p>
          </div>
        </div>
      ) : null}
    </section>
  )
}
