import type { Page } from '@playwright/test'

/**
 * The link between page and app, spoken by a second WebSocket of the page: for figures in full and for what no button can send.
 * The page's own cookie and key open it, so it is no more than what the page may do.
 */

const openSocket = `
  const open = () => new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/api', ['cocoon-link', 'cocoon-page-key.' + localStorage.getItem('cocoon.pageKey')])
    socket.onopen = () => resolve(socket)
    socket.onerror = () => reject(new Error('The link did not open.'))
  })`

/** The present value of a stream. Amounts are strings of nanoton, as on the link. */
export async function present<T>(page: Page, stream: string): Promise<T> {
  return page.evaluate<T>(`
    (async () => {
      ${openSocket}
      const socket = await open()
      const event = await new Promise((resolve, reject) => {
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data)
          if (message.t === 'event') resolve(message.event)
          else reject(new Error(data))
        }
        socket.send(JSON.stringify({ t: 'subscribe', n: 1, name: ${JSON.stringify(stream)}, input: {} }))
      })
      socket.close()
      return event
    })()`)
}

/** Collects every value of a stream from now on. */
export async function follow<T>(page: Page, stream: string): Promise<() => Promise<T[]>> {
  const name = JSON.stringify(stream)
  await page.evaluate(`
    (async () => {
      ${openSocket}
      const socket = await open()
      const all = (globalThis.followed ??= {})[${name}] = []
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data)
        if (message.t === 'event') all.push(message.event)
      }
      socket.send(JSON.stringify({ t: 'subscribe', n: 1, name: ${name}, input: {} }))
    })()`)
  return () => page.evaluate<T[]>(`globalThis.followed[${name}]`)
}

export interface Reply {
  /** Messages that came back. */
  readonly messages: ReadonlyArray<{ t: string; n?: number; error?: { code: string; message: string } }>
  /** Close code, or null while the link stays open. */
  readonly closed: number | null
}

/** Sends one frame as it is and tells what came back within a moment. */
export async function sendRaw(page: Page, frame: string | { binary: number } | { characters: number }): Promise<Reply> {
  const data =
    typeof frame === 'string'
      ? JSON.stringify(frame)
      : 'binary' in frame
        ? `new Uint8Array(${frame.binary})`
        : `'x'.repeat(${frame.characters})`
  return page.evaluate<Reply>(`
    (async () => {
      ${openSocket}
      const socket = await open()
      const messages = []
      let closed = null
      const answered = new Promise((resolve) => {
        socket.onmessage = ({ data }) => { messages.push(JSON.parse(data)); resolve() }
        socket.onclose = ({ code }) => { closed = code; resolve() }
        setTimeout(resolve, 30000)
      })
      socket.send(${data})
      await answered
      await new Promise((resolve) => setTimeout(resolve, 50))
      const result = { messages, closed }
      socket.close()
      return result
    })()`)
}
