import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A file server on a real socket that can misbehave in the ways download servers do. */
export class FaultyServer {
  /** Cut the connection after so many bytes of each answer. */
  cutAfterBytes: number | undefined
  ranges = true
  etag: string | undefined = '"one"'
  status: number | undefined
  silent = false
  /** Bytes a second, roughly. */
  bytesPerSecond: number | undefined
  readonly requests: { path: string; range: string | undefined }[] = []
  readonly #files = new Map<string, Uint8Array>()
  readonly #server: Server
  #port = 0

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.#port}${path}`
  }

  put(path: string, bytes: Uint8Array): void {
    this.#files.set(path, bytes)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push({ path: request.url ?? '', range: request.headers.range })
    if (this.silent) return
    const bytes = this.#files.get(request.url ?? '')
    if (this.status !== undefined || bytes === undefined) {
      response.writeHead(this.status ?? 404).end()
      return
    }
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    const sameVersion = request.headers['if-range'] === undefined || request.headers['if-range'] === this.etag
    const from = this.ranges && asked !== null && sameVersion ? Number(asked[1]) : 0
    const part = bytes.subarray(from)
    const headers: Record<string, string> = { 'Content-Length': String(part.length) }
    if (this.etag !== undefined) headers.ETag = this.etag
    if (from > 0) headers['Content-Range'] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
    response.writeHead(from > 0 ? 206 : 200, headers)
    const end = Math.min(part.length, this.cutAfterBytes ?? part.length)
    const piece = 64 * 1024
    for (let at = 0; at < end && !response.destroyed; at += piece) {
      if (!response.write(part.subarray(at, Math.min(end, at + piece)))) {
        const over = new AbortController()
        const { signal } = over
        await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]).finally(() => over.abort())
      }
      if (this.bytesPerSecond !== undefined)
        await new Promise((resolve) => setTimeout(resolve, (piece / (this.bytesPerSecond ?? 1)) * 1000))
    }
    if (end < part.length) response.destroy()
    else response.end()
  }
}
