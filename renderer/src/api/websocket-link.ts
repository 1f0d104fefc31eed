import { linkProtocols } from '../../../preload/api/link.ts'
import type { OpenLink } from './link.ts'

/** Close code of a server that does not know this browser's session. */
const unauthorized = 4401

/**
 * Link of the browser shell: JSON text over the WebSocket at `/api` of the page's own origin. It takes both halves of what the one-time link
 * brought: the HttpOnly cookie, which the browser sends, and the page's key.
 * @param pageKey is asked anew for each connection: another tab may have brought a newer one
 */
export function websocketLink(url: string, pageKey: () => string | undefined): OpenLink {
  return (events) => {
    const socket = new WebSocket(url, linkProtocols(pageKey()))
    let opened = false
    socket.onopen = () => {
      opened = true
      events.onOpen()
    }
    socket.onmessage = (event: MessageEvent<unknown>) => {
      let raw: unknown
      try {
        raw = typeof event.data === 'string' ? JSON.parse(event.data) : undefined
      } catch {
        raw = undefined
      }
      events.onMessage(raw)
    }
    socket.onclose = (event) => {
      if (event.code === unauthorized) events.onClose('refused')
      else if (opened) events.onClose('lost')
      // A refused handshake shows no status to the page; a plain request to the same origin does.
      else wasRefused().then((refused) => events.onClose(refused ? 'refused' : 'lost'))
    }
    return {
      send: (message) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
      },
      close: () => socket.close(),
    }
  }
}

async function wasRefused(): Promise<boolean> {
  try {
    const answer = await fetch('/', { method: 'HEAD', cache: 'no-store', credentials: 'same-origin' })
    return answer.status === 401
  } catch {
    return false
  }
}

/** Address of the core's WebSocket for a page at `location`. */
export function apiUrl(location: { protocol: string; host: string }): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api`
}
