import { Download, Pencil, Pin, PinOff, Trash2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import type { ConversationSummary } from '../../../preload/api/chat.ts'
import { useCall } from '../api/use-call.ts'
import { useTexts } from '../messages/texts.tsx'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Refusal } from '../ui/error-note.tsx'
import { Menu } from '../ui/menu.tsx'
import { useToast } from '../ui/toasts.tsx'
import { exportChat } from './export-chat.ts'

interface ChatMenuProps {
  chat: ConversationSummary
  trigger: ReactNode
  onGone(id: string): void
}

/** Rename, pin, export, delete: the same menu in the list and in the header. */
export function ChatMenu({ chat, trigger, onGone }: ChatMenuProps) {
  const { t } = useTexts()
  const toast = useToast()
  const [asking, setAsking] = useState<'rename' | 'delete' | null>(null)
  const pin = useCall('chat.pin')
  const remove = useCall('chat.delete')
  const { run: exportCall } = useCall('chat.export')
  const close = (): void => setAsking(null)
  return (
    <>
      <Menu
        trigger={trigger}
        entries={[
          { id: 'rename', label: t('chat.rename'), icon: Pencil, run: () => setAsking('rename') },
          {
            id: 'pin',
            label: chat.pinned ? t('chat.unpin') : t('chat.pin'),
            icon: chat.pinned ? PinOff : Pin,
            run: () => void pin.run({ id: chat.id, pinned: !chat.pinned }),
          },
          { id: 'export', label: t('chat.export'), icon: Download, run: () => void exportChat(chat.id, exportCall) },
          { id: 'delete', label: t('chat.delete'), icon: Trash2, danger: true, run: () => setAsking('delete') },
        ]}
      />
      <RenameDialog chat={chat} open={asking === 'rename'} onClose={close} />
      <ConfirmDialog
        open={asking === 'delete'}
        onOpenChange={close}
        title={t('chat.deleteTitle', { title: chat.title })}
        text={t('chat.deleteText')}
        confirm={t('chat.delete')}
        cancel={t('action.cancel')}
        danger
        onConfirm={() => {
          void remove.run({ id: chat.id }).then((done) => {
            if (!done) return
            toast(t('chat.deleted'))
            onGone(chat.id)
          })
        }}
      />
    </>
  )
}

function RenameDialog({ chat, open, onClose }: { chat: ConversationSummary; open: boolean; onClose(): void }) {
  const { t } = useTexts()
  const rename = useCall('chat.rename')
  const [title, setTitle] = useState<string | null>(null)
  const shown = title ?? chat.title
  const close = (): void => {
    setTitle(null)
    rename.clear()
    onClose()
  }
  return (
    <FormDialog open={open} onOpenChange={close} title={t('chat.rename')}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void rename.run({ id: chat.id, title: shown }).then((done) => done && close())
        }}
      >
        <label className="flex flex-col gap-1.5 text-sm text-ink-2">
          {t('chat.title')}
          <span className="field">
            <input
              value={shown}
              dir="auto"
              maxLength={120}
              onChange={(event) => setTitle(event.target.value)}
              className="text-ink"
            />
          </span>
        </label>
        {rename.error ? (
          <div className="mt-3">
            <Refusal error={rename.error} />
          </div>
        ) : null}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="primary" type="submit" disabled={shown.trim() === '' || rename.running}>
            {t('chat.rename')}
          </Button>
        </div>
      </form>
    </FormDialog>
  )
}
