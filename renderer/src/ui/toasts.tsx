import { Check, X } from 'lucide-react'
import { Toast } from 'radix-ui'
import { createContext, type ReactNode, useContext, useMemo, useState } from 'react'
import { useTexts } from '../messages/texts.tsx'
import { IconButton } from './button.tsx'
import { Icon } from './icon.tsx'

interface Note {
  readonly id: number
  readonly title: string
  readonly text: string | undefined
}

const ToastContext = createContext<(title: string, text?: string) => void>(() => undefined)

/** Tells the result of the user's own action. Errors that need a decision stay inline instead. */
export const useToast = () => useContext(ToastContext)

export function Toasts({ children }: { children: ReactNode }) {
  const { t } = useTexts()
  const [notes, setNotes] = useState<readonly Note[]>([])
  const tell = useMemo(() => {
    let next = 1
    return (title: string, text?: string) => setNotes((last) => [...last.slice(-2), { id: next++, title, text }])
  }, [])
  return (
    <ToastContext value={tell}>
      <Toast.Provider duration={6_000} label={t('toast.label')}>
        {children}
        {notes.map((note) => (
          <Toast.Root
            key={note.id}
            className="toast"
            onOpenChange={(open) => open || setNotes((last) => last.filter(({ id }) => id !== note.id))}
          >
            <Icon of={Check} size={18} className="mt-px text-ink-2" />
            <div className="min-w-0 flex-1">
              <Toast.Title className="font-semibold">{note.title}</Toast.Title>
              {note.text ? <Toast.Description className="num text-ink-2">{note.text}</Toast.Description> : null}
            </div>
            <Toast.Close asChild>
              <IconButton small label={t('action.close')}>
                <Icon of={X} />
              </IconButton>
            </Toast.Close>
          </Toast.Root>
        ))}
        <Toast.Viewport className="toast-viewport" />
      </Toast.Provider>
    </ToastContext>
  )
}
