import { useEffect, useRef } from 'react'

/** px */
const gapAbove = 16

/** Heading of a card that another screen leads to: with `arrived` it comes into view and takes the focus, so that a screen reader says where one is. */
export function ArrivalTitle({ children, arrived }: { children: string; arrived: boolean }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    const card = title.current?.closest('section')
    const page = title.current?.closest('main')
    if (!arrived || !card || !page) return
    title.current?.focus({ preventScroll: true })
    // Only the page scrolls: `scrollIntoView` would move the window's frame too.
    page.scrollTop += card.getBoundingClientRect().top - page.getBoundingClientRect().top - gapAbove
  }, [arrived])
  return (
    <h2 ref={title} tabIndex={-1}>
      {children}
    </h2>
  )
}
