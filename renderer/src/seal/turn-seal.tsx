import { LockKeyhole, LockKeyholeOpen, TriangleAlert } from 'lucide-react'
import type { Turn } from '../../../preload/api/chat.ts'
import type { TurnSeal } from '../../../preload/api/seal.ts'
import { shortHash } from '../format/names.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Icon } from '../ui/icon.tsx'
import { Tip } from '../ui/tip.tsx'

/** Sentences about how a question left, and about a bill that does not fit to its answer; the latter is empty where all adds up. */
function useLeaving(seal: TurnSeal | undefined): { readonly left: string; readonly deviations: readonly string[] } {
  const { t } = useTexts()
  const format = useFormat()
  if (seal === undefined) return { left: '', deviations: [] }
  if (seal.scheme === 'none') return { left: t(`sent.none.${seal.reason}`), deviations: [] }
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
  return { left, deviations: seal.deviations.map((name) => t(`bill.${name}`, numbers)) }
}

/** A quiet mark below an answer: how its question left, and whether its bill fits to it. */
export function TurnSealMark({ seal }: { seal: TurnSeal }) {
  const { t } = useTexts()
  const { left, deviations } = useLeaving(seal)
  const mark = seal.scheme === 'none' ? LockKeyholeOpen : LockKeyhole
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
      {deviations.length === 0 ? null : (
        <Tip text={deviations.join(' ')}>
          <button
            type="button"
            className="inline-flex items-center gap-1 rounded-xs text-open"
            aria-description={deviations.join(' ')}
          >
            <Icon of={TriangleAlert} size={14} />
            {t('bill.not')}
          </button>
        </Tip>
      )}
    </>
  )
}

/** In the verification sheet: how the last question left, to which key, and what is wrong with its bill. */
export function LastQuestion({ turn }: { turn: Turn | undefined }) {
  const { t } = useTexts()
  const seal = turn?.seal
  const { left, deviations } = useLeaving(seal)
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
      {deviations.length === 0 ? null : (
        <div className="banner banner-danger">
          <Icon of={TriangleAlert} size={18} />
          <div>
            <p>
              <b>{t('bill.not')}</b>
            </p>
            <ul>
              {deviations.map((sentence) => (
                <li key={sentence}>{sentence}</li>
              ))}
            </ul>
            <p>{t('bill.evidence')}</p>
          </div>
        </div>
      )}
    </section>
  )
}
