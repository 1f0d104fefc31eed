import { useEffect, useRef } from 'react'

/** The one h1 of a screen. It takes the focus when the screen changes, so that a screen reader says where one is. */
export function ScreenTitle({ children, focus = true }: { children: string; focus?: boolean }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (focus) title.current?.focus({ preventScroll: true })
  }, [focus])
  return (
    <h1 ref={title} tabIndex={-1} className="min-w-0">
      {children}
    </h1>
  )
}
