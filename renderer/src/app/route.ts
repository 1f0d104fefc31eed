import { useMemo, useSyncExternalStore } from 'react'

export const screens = ['chat', 'earn', 'models', 'wallet', 'network', 'settings'] as const
export type ScreenName = (typeof screens)[number]

export interface Route {
  readonly screen: ScreenName
  /** Chat: the conversation's id, or undefined for a new one. Settings: the section. */
  readonly part: string | undefined
}

/** Reads the address of a screen: `#/earn`, `#/chat/<id>`, `#/chat/new`, `#/settings/language`. Anything else is Chat. */
export function parseRoute(hash: string): Route {
  const [name, part] = hash.replace(/^#\/?/, '').split('/')
  const screen = screens.find((one) => one === name)
  if (!screen) return { screen: 'chat', part: undefined }
  return { screen, part: part && part !== 'new' && /^[A-Za-z0-9_-]{1,64}$/.test(part) ? part : undefined }
}

export const pathTo = (screen: ScreenName, part?: string): string =>
  `#/${screen}${part ? `/${part}` : screen === 'chat' ? '/new' : ''}`

export function go(screen: ScreenName, part?: string): void {
  location.hash = pathTo(screen, part)
}

const subscribe = (changed: () => void): (() => void) => {
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash)
  return useMemo(() => parseRoute(hash), [hash])
}
