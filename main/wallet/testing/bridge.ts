import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A TON Connect HTTP bridge on the loopback address: `POST message?client_id&to` for one client, `GET events?client_id` as a stream of
 * events for another, kept until it listens. It sees ciphertext only, as the real ones.
 */
export interface Bridge {
  readonly url: string
  /** Bodies of all messages so far. */
  readonly seen: readonly string[]
  close(): Promise<void>
}

export async function openBridge(): Promise<Bridge> {
  const waiting = new Map<string, string[]>()
  const listening = new Map<string, ServerResponse>()
  const seen: string[] = []
  let id = 0

  const deliver = (to: string): void => {
    const stream = listening.get(to)
    if (stream === undefined) return
    for (const data of waiting.get(to)?.splice(0) ?? []) stream.write(`event: message\nid: ${++id}\ndata: ${data}\n\n`)
  }
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://bridge')
    const client = url.searchParams.get('client_id') ?? ''
    if (request.method === 'GET' && url.pathname.endsWith('/events')) {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
      response.write(':ok\n\n')
      listening.set(client, response)
      response.on('close', () => {
        if (listening.get(client) === response) listening.delete(client)
      })
      deliver(client)
      return
    }
    const to = url.searchParams.get('to')
    if (request.method !== 'POST' || !url.pathname.endsWith('/message') || to === null) return void response.writeHead(404).end()
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const message = Buffer.concat(parts).toString('utf8')
      seen.push(message)
      waiting.set(to, [...(waiting.get(to) ?? []), JSON.stringify({ from: client, message })])
      deliver(to)
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"message":"OK","statusCode":200}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bridge`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
