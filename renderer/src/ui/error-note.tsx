import { CircleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
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
