import type { OpenLink } from './link.ts'

/** What preload/index.ts puts on `window.cocoon` in the desktop window. */
export interface Bridge {
  send(message: unknown): void
  /** @returns a function that ends the subscription */
  onMessage(listener: (message: unknown) => void): () => void
}

/** The bridge, if this page runs in the desktop window. */
export function findBridge(page: object): Bridge | null {
  if (!('cocoon' in page)) return null
  const bridge = page.cocoon
  return typeof bridge === 'object' && bridge !== null && 'send' in bridge && 'onMessage' in bridge ? (bridge as Bridge) : null
}

/** Link of the desktop window: structured values over Electron IPC. It lives as long as the window. */
export function bridgeLink(bridge: Bridge): OpenLink {
  return (events) => {
    const stop = bridge.onMessage((raw) => events.onMessage(raw))
    queueMicrotask(() => events.onOpen())
    return { send: (message) => bridge.send(message), close: stop }
  }
}
