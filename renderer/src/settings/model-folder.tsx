import { useEffect, useState } from 'react'
import type { ModelStorage, ModelsMove } from '../../../preload/api/model-fit.ts'
import { useCall } from '../api/use-call.ts'
import { useStream } from '../api/use-stream.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Bar } from '../ui/bar.tsx'
import { Button } from '../ui/button.tsx'
import { ErrorNote, Refusal } from '../ui/error-note.tsx'
import { FactList } from '../ui/fact-list.tsx'

/** Where the models lie, and their way to another folder. */
export function ModelFolder() {
  const { t } = useTexts()
  const format = useFormat()
  const { value: move } = useStream('models.moving', {})
  const { run } = useCall('models.storage')
  const [disk, setDisk] = useState<ModelStorage>()
  const status = move?.status
  // biome-ignore lint/correctness/useExhaustiveDependencies: after a move the folder is another one
  useEffect(() => {
    void run({}).then((found) => found && setDisk(found))
  }, [status, run])
  return (
    <section className="card" aria-label={t('settings.folder')}>
      {disk && move?.status !== 'away' ? (
        <FactList
          rows={[
            [t('settings.folder'), disk.folder],
            [t('settings.folderUsed'), format.bytes(disk.usedBytes)],
            ...(disk.freeBytes === null ? [] : [[t('settings.folderFree'), format.bytes(disk.freeBytes)] as const]),
          ]}
        />
      ) : null}
      {move ? <Move move={move} /> : null}
    </section>
  )
}

function Move({ move }: { move: ModelsMove }) {
  switch (move.status) {
    case 'idle':
      return <Idle leftIn={move.leftIn} />
    case 'moving':
      return <Moving move={move} />
    case 'stopped':
      return <Stopped move={move} />
    case 'away':
      return <Away folder={move.folder} />
  }
}

function Idle({ leftIn }: { leftIn: string | undefined }) {
  const { t } = useTexts()
  const start = useCall('models.move')
  const [folder, setFolder] = useState('')
  return (
    <form
      className="p-[1.125rem]"
      onSubmit={(event) => {
        event.preventDefault()
        void start.run({ folder: folder.trim() }).then((begun) => begun && setFolder(''))
      }}
    >
      {leftIn === undefined ? null : <p className="mb-3 text-sm text-ink-2">{t('folder.left', { folder: leftIn })}</p>}
      <label className="flex flex-col gap-1.5 text-sm text-ink-2">
        {t('folder.new')}
        <span className="field mono">
          <input value={folder} onChange={(event) => setFolder(event.target.value)} className="text-ink" />
        </span>
      </label>
      <p className="mt-1.5 text-xs text-ink-3">{t('folder.note')}</p>
      {start.error ? (
        <div className="mt-3">
          <Refusal error={start.error} />
        </div>
      ) : null}
      <div className="mt-3 flex justify-end">
        <Button type="submit" disabled={folder.trim() === '' || start.running}>
          {t('folder.move')}
        </Button>
      </div>
    </form>
  )
}

function Moving({ move }: { move: ModelsMove & { status: 'moving' } }) {
  const { t } = useTexts()
  const format = useFormat()
  const cancel = useCall('models.cancelMove')
  const { to, doneBytes, totalBytes, bytesPerSecond, file } = move
  const share = totalBytes > 0 ? (doneBytes / totalBytes) * 100 : 0
  return (
    <div className="p-[1.125rem]">
      <p className="num mb-1.5 text-sm">
        {t('folder.moving', { folder: to })}{' '}
        {totalBytes > 0
          ? t('folder.done', {
              done: format.bytes(doneBytes),
              total: format.bytes(totalBytes),
              rate: format.rate(bytesPerSecond),
            })
          : null}
      </p>
      <div
        role="progressbar"
        aria-label={t('folder.moving', { folder: to })}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(share)}
      >
        <Bar height={8} percent={share} />
      </div>
      <p className="mt-1.5 truncate text-xs text-ink-3">{file}</p>
      {cancel.error ? <Refusal error={cancel.error} /> : null}
      <div className="mt-3 flex justify-end">
        <Button kind="ghost" disabled={cancel.running} onClick={() => void cancel.run({})}>
          {t('action.cancel')}
        </Button>
      </div>
    </div>
  )
}

function Stopped({ move }: { move: ModelsMove & { status: 'stopped' } }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const cancel = useCall('models.cancelMove')
  const resume = useCall('models.continueMove')
  return (
    <div className="flex flex-col gap-3 p-[1.125rem]">
      <ErrorNote title={t('folder.stopped', { folder: move.to })}>
        <p>{said(move.problem, move.problemWords)}</p>
      </ErrorNote>
      <div className="flex justify-end gap-2">
        <Button kind="ghost" disabled={cancel.running} onClick={() => void cancel.run({})}>
          {t('folder.giveUp')}
        </Button>
        <Button kind="primary" disabled={resume.running} onClick={() => void resume.run({})}>
          {t('folder.continue')}
        </Button>
      </div>
    </div>
  )
}

function Away({ folder }: { folder: string }) {
  const { t } = useTexts()
  const find = useCall('models.findFolder')
  return (
    <div className="flex flex-col gap-3 p-[1.125rem]">
      <ErrorNote title={t('folder.away', { folder })}>
        <p>{t('folder.awayText')}</p>
      </ErrorNote>
      <div className="flex justify-end gap-2">
        <Button kind="ghost" disabled={find.running} onClick={() => void find.run({ own: true })}>
          {t('folder.own')}
        </Button>
        <Button kind="primary" disabled={find.running} onClick={() => void find.run({ own: false })}>
          {t('folder.look')}
        </Button>
      </div>
    </div>
  )
}
