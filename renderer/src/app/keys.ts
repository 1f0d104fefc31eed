import { useEffect, useRef } from 'react'

/** A shortcut as text: "Mod+K", "Mod+Shift+P", "Alt+1", "F6". Mod is Ctrl, and Cmd on macOS. */
export type Shortcut = string

const isMac = navigator.platform.startsWith('Mac')

/** How the shortcut is written on the screen. */
export const shownKeys = (shortcut: Shortcut): string => shortcut.replace('Mod', isMac ? '⌘' : 'Ctrl').replaceAll('+', ' ')

/** The physical key, so that shortcuts work on a Russian layout too. */
function keyOf(event: KeyboardEvent): string {
  if (event.code.startsWith('Key')) return event.code.slice(3)
  if (event.code.startsWith('Digit')) return event.code.slice(5)
  return event.key === ',' || event.code === 'Comma' ? ',' : event.key
}

function shortcutOf(event: KeyboardEvent): Shortcut {
  const mod = isMac ? event.metaKey : event.ctrlKey
  return [mod && 'Mod', event.altKey && 'Alt', event.shiftKey && 'Shift', keyOf(event)].filter(Boolean).join('+')
}

/** Whether a dialog or menu is open, which takes Esc before what lies below it. */
export const isLayerOpen = (): boolean => document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]') !== null

/** Runs the action of a pressed shortcut. An action that returns false leaves the key to the page. */
export function useKeys(actions: Readonly<Record<Shortcut, () => boolean | undefined>>): void {
  const newest = useRef(actions)
  useEffect(() => {
    newest.current = actions
  })
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.isComposing) return
      const action = newest.current[shortcutOf(event)]
      if (action && action() !== false) event.preventDefault()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
}

const regionOrder = ['rail', 'list', 'content', 'composer']

/** Moves the focus to the next visible region of the window (F6), or the one before. */
export function moveRegion(step: 1 | -1): void {
  const regions = regionOrder
    .map((name) => document.querySelector<HTMLElement>(`[data-region="${name}"]`))
    .filter((element) => element !== null && element.offsetParent !== null)
  const active = document.activeElement
  // The composer lies inside the content, so the innermost region counts.
  const now = regions.findLastIndex((element) => element?.contains(active))
  const next = regions[(now + step + regions.length) % regions.length]
  const target = next?.querySelector<HTMLElement>(
    'textarea, [aria-current="page"], h1[tabindex], a[href], button:not(:disabled), input',
  )
  target?.focus()
}
