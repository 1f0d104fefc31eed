import { Children, isValidElement, type ReactElement, type ReactNode } from 'react'
import { expect, it } from 'vitest'
import type { OpenReaders } from '../../../preload/api/privacy.ts'
import { WidenDialog } from './widen-dialog.tsx'

/** Every element below, in order. */
function elements(node: ReactNode): ReactElement<{ children?: ReactNode }>[] {
  return Children.toArray(node).flatMap((child) =>
    isValidElement<{ children?: ReactNode }>(child) ? [child, ...elements(child.props.children)] : [],
  )
}

it('is the same question while a check runs below it: what was chosen and ticked in it stays', () => {
  const question = (readers: OpenReaders) => {
    const nothing = (): void => undefined
    const asked = { from: 'computer', to: 'open', messages: 1 } as const
    const all = elements(WidenDialog({ widening: asked, readers, onStay: nothing, onMove: nothing }))
    return all.find(({ props }) => 'readers' in props) ?? expect.unreachable('no question')
  }
  // React makes an element anew whose kind or key is another.
  const [before, meanwhile] = [question('worker'), question('proxy-too')]
  expect([meanwhile.type, meanwhile.key]).toEqual([before.type, before.key])
})
