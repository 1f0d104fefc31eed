import { Check, Info, Minus, Monitor, X } from 'lucide-react'
import { Dialog } from 'radix-ui'
import { Fragment, useRef } from 'react'
import type { LevelState, PrivacyLevel, Turn } from '../../../preload/api/chat.ts'
import { useAnswer } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { shortHash } from '../format/names.ts'
import { useFormat } from '../format/use-format.ts'
import { type Say, useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { IconButton } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Icon } from '../ui/icon.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { type CheckRow, computerChecks, practiceChecks } from './checks.ts'
import { levelName, type SealTone, sealTone } from './level.ts'
import { CheckingGlyph, LevelGlyph } from './seal-glyph.tsx'

interface SheetProps {
  open: boolean
  onOpenChange(open: boolean): void
  level: PrivacyLevel
  state: LevelState | undefined
  lastTurn: Turn | undefined
}

export function VerificationSheet({ open, onOpenChange, level, state, lastTurn }: SheetProps) {
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
        >
          <SheetBody title={title} level={level} state={state} lastTurn={lastTurn} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

type SheetBodyProps = Omit<SheetProps, 'open' | 'onOpenChange'> & { title: React.RefObject<HTMLHeadingElement | null> }

function SheetBody({ level, state, lastTurn, title }: SheetBodyProps) {
  const { t } = useTexts()
  const { said, saidReason } = useCoreWords()
  const info = useAnswer('app.info', {})
  const models = useStream('models.list', {}).value
  const network = useStream('network.state', {}).value
  const wallet = useStream('wallet.state', {}).value
  const tone = sealTone(level, state)
  const model = models?.find(({ loaded }) => loaded)
  const checks = level === 'computer' ? computerChecks({ t, said, model, info }) : practiceChecks({ t, said, network })
  const proxy = network?.proxies[0]
  const root = network?.root

  return (
    <>
      <header className={`tone-${tone} flex items-center gap-3.5 border-b border-line py-[1.125rem] ps-7 pe-5`}>
        <span className="seal-disc">
          {tone === 'checking' ? <CheckingGlyph size={22} /> : <LevelGlyph level={level} size={22} />}
        </span>
        <div className="min-w-0 flex-1">
          <Dialog.Title ref={title} tabIndex={-1} className="text-xl font-semibold tracking-tight">
            {t(levelName[level])}
          </Dialog.Title>
          <p className="text-sm text-ink-2">
            {tone === 'checking' ? (saidReason(state) ?? t('seal.checking')) : t(`sheet.${level}.subtitle`)}
          </p>
        </div>
        <Dialog.Close asChild>
          <IconButton label={t('action.close')}>
            <Icon of={X} size={18} />
          </IconButton>
        </Dialog.Close>
      </header>
      <ScrollRegion label={t(levelName[level])} className="flex flex-1 flex-col gap-[1.125rem] overflow-y-auto px-7 py-5">
        <p className="text-xl leading-[1.625rem] tracking-[-0.01em]">
          {tone === 'checking' ? t('sheet.notReady') : t(`sheet.${level}.summary`)}
        </p>
        <Path level={level} tone={tone} t={t} />
        <div>
          {checks.map((row) => (
            <CheckLine key={row.id} row={row} />
          ))}
        </div>
        <div className="banner banner-info">
          <Icon of={Info} size={18} />
          <p>
            <b className="text-info">{t('sheet.cannotProve')}</b> {t(`sheet.${level}.cannotProve`)}
          </p>
        </div>
        <h3 className="font-semibold">{t('sheet.evidence')}</h3>
        <dl className="evidence num">
          {level === 'computer' ? (
            <>
              <Evidence name={t('sheet.model')} value={model?.name} />
              <Evidence name={t('sheet.modelHash')} value={model?.sha256 ?? undefined} hash />
              <Evidence name={t('sheet.modelFile')} value={model?.path ?? undefined} mono />
              <Evidence name={t('sheet.dataFolder')} value={info?.dataDir} mono />
            </>
          ) : (
            <>
              <Evidence name={t('sheet.proxy')} value={proxy?.clientPort} mono />
              <Evidence name={t('sheet.proxyContract')} value={proxy?.contract} mono />
              <Evidence name={t('sheet.registry')} value={root?.address} mono />
              <Evidence name={t('sheet.readFrom')} value={network?.endpoint} mono />
              <Evidence name={t('sheet.clientContract')} value={wallet?.chat?.contract} mono />
            </>
          )}
        </dl>
        <Payment level={level} lastTurn={lastTurn} pricePerToken={root?.pricePerToken} />
      </ScrollRegion>
    </>
  )
}

function Payment({
  level,
  lastTurn,
  pricePerToken,
}: {
  level: PrivacyLevel
  lastTurn: Turn | undefined
  pricePerToken: bigint | undefined
}) {
  const { t } = useTexts()
  const format = useFormat()
  const usage = lastTurn?.level === level ? lastTurn.usage : undefined
  return (
    <section className="border-t border-line pt-[1.125rem]">
      <div className="mb-1.5 flex items-center">
        <h3 className="flex-1 font-semibold">{t('sheet.payment')}</h3>
        {usage?.cost === undefined ? null : <b className="num">{format.exact(usage.cost)}</b>}
      </div>
      {level === 'computer' ? (
        <p className="text-sm text-ink-2">{t('sheet.noPayment')}</p>
      ) : (
        <dl className="evidence num">
          {pricePerToken === undefined ? null : (
            <Evidence name={t('sheet.price')} value={t('sheet.pricePerToken', { amount: format.exact(pricePerToken) })} plain />
          )}
          {usage ? (
            <Evidence
              name={t('sheet.lastAnswer')}
              value={[
                t('usage.in', { count: format.count(usage.promptTokens) }),
                t('usage.out', { count: format.count(usage.completionTokens) }),
                ...(usage.adjustedTokens === undefined
                  ? []
                  : [t('usage.adjusted', { count: format.count(usage.adjustedTokens) })]),
              ].join(', ')}
              plain
            />
          ) : null}
        </dl>
      )}
    </section>
  )
}

const checkIcons = { checked: Check, relied: Check, 'not-checked': Minus } as const

function CheckLine({ row }: { row: CheckRow }) {
  return (
    <div className="check-row">
      <span className={row.result === 'checked' ? 'seal-ink tone-earned' : row.result === 'relied' ? 'text-ink-2' : 'text-ink-3'}>
        <Icon of={checkIcons[row.result]} size={18} className="mt-0.5" />
      </span>
      <b>{row.statement}</b>
      <span className="text-xs text-ink-3">{row.by}</span>
      <p>{row.sentence}</p>
    </div>
  )
}

interface EvidenceProps {
  name: string
  value: string | undefined
  hash?: boolean
  mono?: boolean
  plain?: boolean
}

function Evidence({ name, value, hash = false, mono = false, plain = false }: EvidenceProps) {
  const { t } = useTexts()
  return (
    <div className="contents">
      <dt>{name}</dt>
      <dd className={hash || mono ? 'mono' : ''} title={value}>
        {value === undefined ? t('sheet.unknown') : hash ? shortHash(value) : value}
      </dd>
      <dd>{value === undefined || plain ? null : <CopyButton value={value} label={t('action.copyOf', { name })} />}</dd>
    </div>
  )
}

/** The way a message goes. At level 1 it goes nowhere. */
function Path({ level, tone, t }: { level: PrivacyLevel; tone: SealTone; t: Say }) {
  const nodes = level === 'computer' ? (['me'] as const) : (['me', 'proxy', 'worker'] as const)
  return (
    <div className={`tone-${tone} flex justify-center`} role="img" aria-label={t(`path.${level}`)}>
      {nodes.map((node, index) => (
        <Fragment key={node}>
          {index > 0 ? <span className="path-line" /> : null}
          <span className="path-node w-[118px]">
            <span className="path-disc">
              {node === 'me' ? <Icon of={Monitor} size={22} /> : <LevelGlyph level={level} size={22} />}
            </span>
            <b className="text-sm">{t(`path.${node}.name`)}</b>
            <span className="text-xs text-ink-3">{t(level === 'computer' ? 'path.me.alone' : `path.${node}.role`)}</span>
          </span>
        </Fragment>
      ))}
    </div>
  )
}
