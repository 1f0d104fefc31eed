import { Check, ChevronDown, Circle, CircleAlert, HardDrive, LoaderCircle } from 'lucide-react'
import { useState } from 'react'
import type { StartState } from '../../../preload/api/system.ts'
import { useStream } from '../api/use-stream.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Icon } from '../ui/icon.tsx'

type Part = StartState['parts'][number]

/**
 * Progress of the start, inline and calm: one line, and all parts on request. It goes when every part is ready. A full disk is named in its place,
 * at any time: whatever does not work then follows from it.
 */
export function StartBar() {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const [open, setOpen] = useState(false)
  const state = useStream('app.start', {}).value
  const parts = state?.parts ?? []
  if (state?.diskFull) return <DiskBar folder={state.diskFull.folder} />
  const ready = parts.filter(({ state }) => state === 'ready').length
  if (parts.length === 0 || ready === parts.length) return null
  const failed = parts.find(({ state }) => state === 'failed')
  const shown = failed ?? parts.find(({ state }) => state === 'working') ?? parts.find(({ state }) => state === 'waiting')
  const detailOf = ({ detail, detailWords }: Part): string | undefined => detail && said(detail, detailWords)
  return (
    <section aria-label={t('start.label')} className="flex-none border-b border-line bg-sunken">
      <div className="flex min-h-8 items-center gap-2.5 px-4 text-xs text-ink-2">
        <Icon of={failed ? CircleAlert : LoaderCircle} size={14} className={failed ? 'text-danger' : 'spin'} />
        <p className="min-w-0 flex-1 truncate" role="status">
          <span className="font-medium text-ink">
            {failed
              ? t('start.failed', { part: t(`start.part.${failed.id}`) })
              : t('start.progress', { ready, all: parts.length })}
          </span>{' '}
          <bdi>
            {shown
              ? failed
                ? detailOf(failed)
                : [t(`start.part.${shown.id}`), detailOf(shown)].filter(Boolean).join(': ')
              : null}
          </bdi>
        </p>
        <button
          type="button"
          className="link flex min-h-7 items-center gap-1"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {open ? t('action.hideDetails') : t('action.showDetails')}
          <Icon of={ChevronDown} size={14} className={open ? 'rotate-180' : ''} />
        </button>
      </div>
      {open ? (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(300px,1fr))] gap-x-6 gap-y-1 px-4 pt-1 pb-3 text-xs">
          {parts.map((part) => (
            <PartLine key={part.id} part={part} />
          ))}
        </ul>
      ) : null}
    </section>
  )
}

function DiskBar({ folder }: { folder: string }) {
  const { t } = useTexts()
  return (
    <section aria-label={t('disk.full')} className="flex-none border-b border-line bg-sunken" data-testid="disk-full">
      <div className="flex min-h-8 items-start gap-2.5 px-4 py-2 text-xs text-ink-2" role="alert">
        <Icon of={HardDrive} size={14} className="mt-0.5 text-danger" />
        <p className="min-w-0 flex-1">
          <span className="font-medium text-ink">{t('disk.full')}.</span> {t('disk.advice', { folder })}
        </p>
      </div>
    </section>
  )
}

const icons = { ready: Check, working: LoaderCircle, waiting: Circle, failed: CircleAlert } as const

function PartLine({ part }: { part: Part }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  return (
    <li className="flex min-w-0 items-start gap-2 text-ink-2">
      <Icon
        of={icons[part.state]}
        size={14}
        className={`mt-0.5 ${part.state === 'working' ? 'spin' : part.state === 'failed' ? 'text-danger' : 'text-ink-3'}`}
      />
      <span className="min-w-0">
        <span className="font-medium text-ink">{t(`start.part.${part.id}`)}</span>{' '}
        <bdi>{part.detail ? said(part.detail, part.detailWords) : t(`start.state.${part.state}`)}</bdi>
      </span>
    </li>
  )
}
