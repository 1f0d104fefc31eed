import { CircleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ApiError } from '../../../preload/api/contract.ts'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Icon } from './icon.tsx'

/** An error that stays where it happened: what happened, and what to do. */
export function ErrorNote({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="banner banner-danger" role="alert">
      <Icon of={CircleAlert} size={18} />
      <div className="min-w-0 flex-1">
        <b>{title}</b>
        {children}
      </div>
    </div>
  )
}

/** A refusal of the core, in the reader's language. */
export function Refusal({ error }: { error: ApiError }) {
  const { saidError } = useCoreWords()
  return <ErrorNote title={saidError(error)} />
}
