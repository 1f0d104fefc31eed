import type { LucideIcon } from 'lucide-react'

/** Every icon is drawn with the same stroke, and is silent: the word beside it, or its button's name, says what it means. */
export function Icon({ of: Glyph, size = 16, className = '' }: { of: LucideIcon; size?: number; className?: string }) {
  return <Glyph size={size} strokeWidth={1.75} aria-hidden="true" className={`flex-none ${className}`} />
}
