import { Check, Download, Info, Minus, RefreshCw, X } from 'lucide-react'
import { Dialog } from 'radix-ui'
import { useRef } from 'react'
import { isFree, type LevelView, type PrivacyLevel, type Turn } from '../../../preload/api/chat.ts'
import type { CheckRow, EvidenceItem } from '../../../preload/api/privacy.ts'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { shortHash } from '../format/names.ts'
import { isolated } from '../format/plain-label.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { levelName, readingAt, sealTone, summaryOf } from './level.ts'
import { Path } from './path.tsx'
import { CheckingGlyph, FailedGlyph, LevelGlyph } from './seal-glyph.tsx'
import { LastQuestion } from './turn-seal.tsx'
import { useAgo } from './use-ago.ts'
import { useEvidence } from './use-evidence.ts'

interface SheetProps {
  open: boolean
  onOpenChange(open: boolean): void
  level: PrivacyLevel
  state: LevelView | undefined
  lastTurn: Turn | undefined
  /** Others could read earlier messages of this chat. */
  othersRead: boolean
  /** Gets the focus back when the sheet closes. */
  seal: React.RefObject<HTMLButtonElement | null>
}

export function VerificationSheet({ open, onOpenChange, level, state, lastTurn, othersRead, seal }: SheetProps) {
  const title = useRef<HTMLHeadingElement>(null)
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim z-40" />
        <Dialog.Content
          className="sheet"
          aria-describedby={undefined}
          onOpenAutoFocus={(event) => {
            event.preventDefault()
            title.current?.focus()
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            seal.current?.focus()
          }}
        >
          <SheetBody title={title} level={level} state={state} lastTurn={lastTurn} othersRead={othersRead} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

type SheetBodyProps = Omit<SheetProps, 'open' | 'onOpenChange' | 'seal'> & { title: React.RefObject<HTMLHeadingElement | null> }

/** The order of the parts is fixed (ui.md §3.4). All rows and all evidence are what the core found; nothing is said here that it did not check. */
function SheetBody({ level, state, lastTurn, othersRead, title }: SheetBodyProps) {
  const { t } = useTexts()
  const { said, saidReason } = useCoreWords()
  const format = useFormat()
  const tone = sealTone(level, state)
  // Whose word it is who reads.
  const reader = state?.engine ? 'external' : level
  const seal = state?.seal
  const reading = readingAt(level, state)
  const report = seal && 'report' in seal ? seal.report : undefined
  const ago = useAgo(report?.checkedAtMs)
  const again = useCall('chat.checkAgain')
  const evidence = useEvidence(level)
  const isReady = state?.state === 'ready'
  /** Nothing is known of a process that is not there: the check comes with the first question. */
  const isAsleep = state?.asleep === true && seal?.phase === 'idle'
  const subtitle = !isReady
    ? (saidReason(state) ?? t('seal.checking'))
    : report && ago
      ? // Only where the promise is kept: elsewhere most rows say that nobody checked.
        t(tone === 'earned' ? 'sheet.verifiedAgo' : 'sheet.checkedAgo', { ago })
      : t(isAsleep ? 'seal.asleep' : 'seal.checkingText')

  return (
    <>
      <header className={`tone-${tone} flex items-center gap-3.5 border-b border-line py-[1.125rem] ps-7 pe-5`}>
        <span className="seal-disc">
          {tone === 'checking' ? (
            <CheckingGlyph size={22} />
          ) : tone === 'failed' ? (
            <FailedGlyph size={22} />
          ) : (
            <LevelGlyph level={level} size={22} />
          )}
        </span>
        <div className="min-w-0 flex-1">
          <Dialog.Title ref={title} tabIndex={-1} className="text-xl font-semibold tracking-tight">
            {t(levelName[level])}
          </Dialog.Title>
          <p className="text-sm text-ink-2" role="status">
            {subtitle}
          </p>
        </div>
        {isReady && !isAsleep ? (
          <Button
            size="sm"
            icon={<Icon of={RefreshCw} size={15} />}
            disabled={again.running || seal?.phase === 'checking'}
            onClick={() => void again.run({ level })}
          >
            {t('sheet.checkAgain')}
          </Button>
        ) : null}
        <Dialog.Close asChild>
          <IconButton label={t('action.close')}>
            <Icon of={X} size={18} />
          </IconButton>
        </Dialog.Close>
      </header>
      <ScrollRegion label={t(levelName[level])} className="flex flex-1 flex-col gap-[1.125rem] overflow-y-auto px-7 py-5">
        <p className="text-xl leading-[1.625rem] tracking-[-0.01em]">
          {tone === 'checking'
            ? t('sheet.notReady')
            : isAsleep
              ? t('seal.asleep')
              : tone === 'failed' && seal?.phase === 'failed'
                ? `${t('seal.failedText')} ${said(seal.reason.text, seal.reason.words)}`
                : t(summaryOf(level, state, othersRead), {
                    device: isolated(state?.device?.name ?? ''),
                    date: state?.device ? format.dateTime(state.device.pairedAtMs) : '',
                    name: isolated(state?.engine?.name ?? ''),
                    host: isolated(state?.engine?.host ?? ''),
                  })}
        </p>
        <Path level={level} reading={reading} tone={tone} isServed={level === 'practice' && state?.engine !== undefined} />
        {report ? (
          <ul>
            {report.rows.map((row) => (
              <CheckLine key={row.id} row={row} />
            ))}
          </ul>
        ) : null}
        <div className="banner banner-info">
          <Icon of={Info} size={18} />
          <p>
            <b className="text-info">{t('sheet.cannotProve')}</b> {t(`sheet.${reader}.cannotProve`)}
          </p>
        </div>
        <div className="flex min-h-8 items-center">
          <h3 className="flex-1 font-semibold">{t('sheet.evidence')}</h3>
          {report ? (
            <Button kind="ghost" size="sm" icon={<Icon of={Download} size={15} />} onClick={() => void evidence.save()}>
              {t('sheet.saveJson')}
            </Button>
          ) : null}
        </div>
        {evidence.error ? <Refusal error={evidence.error} /> : null}
        {report ? (
          <dl className="evidence num">
            {report.evidence.map((item) => (
              <EvidenceLine key={item.id} item={item} />
            ))}
          </dl>
        ) : (
          <p className="text-sm text-ink-2">{t('sheet.noEvidence')}</p>
        )}
        <LastQuestion turn={lastTurn?.level === level ? lastTurn : undefined} />
        <Payment level={level} lastTurn={lastTurn} />
      </ScrollRegion>
    </>
  )
}

const checkIcons = { passed: Check, failed: X, 'not-checked': Minus } as const

function CheckLine({ row }: { row: CheckRow }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const { result, by } = row
  const ink =
    result === 'failed'
      ? 'text-danger'
      : result === 'not-checked'
        ? 'text-ink-3'
        : by === 'here'
          ? 'seal-ink tone-earned'
          : 'text-ink-2'
  return (
    <li className="check-row">
      <span className={ink}>
        <Icon of={checkIcons[result]} size={18} className="mt-0.5" />
      </span>
      <b>{said(row.statement.text, row.statement.words)}</b>
      <span className="text-xs text-ink-3">
        {result === 'failed' ? t('check.by.failed') : result === 'passed' && by ? t(`check.by.${by}`) : t('check.by.none')}
      </span>
      <p>{said(row.sentence.text, row.sentence.words)}</p>
    </li>
  )
}

function EvidenceLine({ item }: { item: EvidenceItem }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const { value, form } = item
  const name = said(item.name.text, item.name.words)
  return (
    <div className="contents">
      <dt>{name}</dt>
      <dd className={form === 'text' ? '' : 'mono'} title={value}>
        {form === 'hash' ? shortHash(value) : value}
      </dd>
      <dd>
        <CopyButton value={value} label={t('action.copyOf', { name })} />
      </dd>
    </div>
  )
}

function Payment({ level, lastTurn }: { level: PrivacyLevel; lastTurn: Turn | undefined }) {
  const { t } = useTexts()
  const format = useFormat()
  const pricePerToken = useStream('network.state', {}).value?.root?.pricePerToken
  const usage = lastTurn?.level === level ? lastTurn.usage : undefined
  const facts: Array<readonly [string, string]> = []
  if (pricePerToken !== undefined)
    facts.push([t('sheet.price'), t('sheet.pricePerToken', { amount: format.exact(pricePerToken) })])
  if (usage)
    facts.push([
      t('sheet.lastAnswer'),
      [
        t('usage.in', { count: format.count(usage.promptTokens) }),
        t('usage.out', { count: format.count(usage.completionTokens) }),
        ...(usage.adjustedTokens === undefined ? [] : [t('usage.adjusted', { count: format.count(usage.adjustedTokens) })]),
      ].join(', '),
    ])
  return (
    <section className="border-t border-line pt-[1.125rem]">
      <div className="mb-1.5 flex items-center">
        <h3 className="flex-1 font-semibold">{t('sheet.payment')}</h3>
        {usage?.cost === undefined ? null : <b className="num">{format.exact(usage.cost)}</b>}
      </div>
      {isFree(level) ? (
        <p className="text-sm text-ink-2">{t('sheet.noPayment')}</p>
      ) : (
        <dl className="evidence num">
          {facts.map(([name, value]) => (
            <div key={name} className="contents">
              <dt>{name}</dt>
              <dd title={value}>{value}</dd>
              <dd />
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
