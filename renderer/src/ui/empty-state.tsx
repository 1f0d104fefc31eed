import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import { Icon } from './icon.tsx'

interface EmptyStateProps {
  icon: LucideIcon
  title: string
  text: string
  children?: ReactNode
}

/** What will be here, and the one action that fills it. */
export function EmptyState({ icon, title, text, children }: EmptyStateProps) {
  return (
    <div className="flex flex-col items-start gap-1.5 px-[1.125rem] pb-5 pt-4">
      <span className="state-icon mb-1">
        <Icon of={icon} size={20} />
      </span>
      <h3 className="font-semibold">{title}</h3>
      <p className="max-w-[34rem] text-sm text-ink-2">{text}</p>
      {children ? <div className="mt-2 flex flex-wrap gap-2">{children}</div> : null}
    </div>
  )
}
