import { AlertDialog, Dialog } from 'radix-ui'
import type { ReactNode } from 'react'

interface FormDialogProps {
  open: boolean
  onOpenChange(open: boolean): void
  title: string
  children: ReactNode
}

export function FormDialog({ open, onOpenChange, title, children }: FormDialogProps) {
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim z-50" />
        <Dialog.Content className="dialog" aria-describedby={undefined}>
          <Dialog.Title className="mb-3 text-xl font-semibold">{title}</Dialog.Title>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

interface ConfirmDialogProps {
  open: boolean
  onOpenChange(open: boolean): void
  title: string
  text: string
  children?: ReactNode
  confirm: string
  cancel: string
  danger?: boolean
  onConfirm(): void
}

/** A question before something that cannot be undone. The focus starts on the harmless answer; pressing outside closes nothing. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  return (
    <AlertDialog.Root open={props.open} onOpenChange={props.onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="scrim z-50" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title className="mb-1.5 text-xl font-semibold">{props.title}</AlertDialog.Title>
          <AlertDialog.Description className="text-ink-2">{props.text}</AlertDialog.Description>
          {props.children}
          <div className="mt-5 flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel className="btn">{props.cancel}</AlertDialog.Cancel>
            <AlertDialog.Action className={`btn ${props.danger ? 'btn-danger' : 'btn-primary'}`} onClick={props.onConfirm}>
              {props.confirm}
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
