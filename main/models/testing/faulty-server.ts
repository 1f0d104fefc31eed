import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A file server on a real socket that can misbehave in the ways download servers do. */
export class FaultyServer {
  /** Cut the connection after so many bytes of each answer. */
  cutAfterBytes: number | undefined
  ranges = true
  etag: string | undefined = '"one"'
  status: number | undefined
  silent = false
  /** Answers so much later. */
  delayMs = 0
  /** Bytes a second, roughly. */
  bytesPerSecond: number | undefined
  /** Sent with each answer, e.g. what a hub says of the file. */
  headers: Record<string, string> = {}
  /** Where paths lead. */
  readonly redirects = new Map<string, string>()
  /** Sends so many bytes later than asked for. */
  shiftBytes = 0
  /** Does not say how long a file is. */
  lengthless = false
  /** Told of each request, with a promise of its end. */
  onRequest: ((ended: Promise<unknown>) => void) | undefined
  /** What `Authorization` must be. */
  authorization: string | undefined
  readonly requests: { path: string; range: string | undefined; headers: IncomingHttpHeaders }[] = []
  readonly #files = new Map<string, { bytes: Uint8Array; type: string }>()
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

  /** Path of the URL, or the whole URL for what this server gives as an HTTP proxy. */
  put(path: string, contents: Uint8Array | string, type = 'application/octet-stream'): void {
    this.#files.set(path, { bytes: typeof contents === 'string' ? new TextEncoder().encode(contents) : contents, type })
  }

  remove(path: string): void {
    this.#files.delete(path)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers: sent, url = '' } = request
    this.requests.push({ path: url, range: sent.range, headers: sent })
    this.onRequest?.(once(response, 'close'))
    if (this.silent) return
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    const location = this.redirects.get(url)
    if (location !== undefined) {
      response.writeHead(302, { Location: location }).end()
      return
    }
    const file = this.#files.get(url)
    const refused = this.authorization !== undefined && sent.authorization !== this.authorization
    if (this.status !== undefined || refused || file === undefined) {
      response.writeHead(this.status ?? (refused ? 401 : 404)).end()
      return
    }
    const { bytes, type } = file
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
    const sameVersion = request.headers['if-range'] === undefined || request.headers['if-range'] === this.etag
    const from = this.ranges && asked !== null && sameVersion ? Number(asked[1]) + this.shiftBytes : 0
    const partial = this.ranges && asked !== null && sameVersion && (from > 0 || asked[2] !== '')
    const to = partial && asked?.[2] ? Math.min(Number(asked[2]), bytes.length - 1) : bytes.length - 1
    const part = bytes.subarray(from, to + 1)
    const headers: Record<string, string> = { ...this.headers, 'Content-Length': String(part.length), 'Content-Type': type }
    if (this.lengthless) delete headers['Content-Length']
    if (this.etag !== undefined) headers.ETag = this.etag
    if (this.ranges) headers['Accept-Ranges'] = 'bytes'
    if (partial) headers['Content-Range'] = `bytes ${from}-${to}/${bytes.length}`
    response.writeHead(partial ? 206 : 200, headers)
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
