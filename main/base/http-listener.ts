import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { ConnectionPlaces } from './connection-places.ts'
import { asError, Failure } from './failure.ts'
import type { Logger } from './logger.ts'

export interface HttpPlace {
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
}

export interface ListenerOptions extends HttpPlace {
  /** Pages of this origin may ask; `*` for every page. Without it a request of any page is refused: it would spend money unasked. */
  readonly allowOrigin?: string
  /** The handler itself judges which pages may ask; `allowOrigin` counts for nothing then. */
  readonly judgesOrigins?: boolean
  /** What a refusal that is made here looks like as JSON. Default `{"error": text}`. */
  readonly refusal?: (status: number, text: string) => unknown
  /** Connections at once; beyond that the oldest gives way that the handler did not vouch for. Default: no limit. */
  readonly mostConnections?: number
  /** How long the head and the whole of a request may take to come. Default 20 s and 60 s. */
  readonly limits?: { readonly headMs: number; readonly requestMs: number }
  readonly logger: Logger
}

export interface Asked {
  readonly method: string
  /** Path without the question mark and what follows. */
  readonly path: string
  readonly search: URLSearchParams
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Says that the request is from somebody who may use the server: its connection then gives way to no other. */
  vouch(): void
}

export interface Listener extends HttpPlace {
  /** Takes no new connections; idle ones are closed, requests under way go on. */
  takeNoMore(): void
  /** Ends everything at once. */
  close(): Promise<void>
}

const loopback = new Set(['127.0.0.1', 'localhost', '::1'])

/** Whether only programs of this computer can reach that host. */
export function isLoopback(host: string): boolean {
  return loopback.has(host)
}

/**
 * An HTTP server for programs. On a loopback address it refuses other names in Host, which a page of a rebound name would send.
 * @throws Failure `port-taken`
 */
export async function listenHttp(options: ListenerOptions, handle: (asked: Asked) => Promise<void>): Promise<Listener> {
  const { logger, limits = { headMs: 20_000, requestMs: 60_000 }, refusal = (_status, text) => ({ error: text }) } = options
  const places = options.mostConnections === undefined ? undefined : new ConnectionPlaces(options.mostConnections)
  const settings = {
    noDelay: true,
    headersTimeout: limits.headMs,
    requestTimeout: limits.requestMs,
    // One without a name for this host is refused below, in the form of the others.
    requireHostHeader: false,
    // How often Node looks at these times.
    connectionsCheckingInterval: Math.min(5_000, limits.headMs),
  }
  const server = createServer(settings, (request, response) => {
    const refused = refusalOf(request, options)
    if (refused !== undefined) return sendJson(response, refused.status, refusal(refused.status, refused.text))
    if (options.allowOrigin !== undefined && !options.judgesOrigins) allowPages(response, options.allowOrigin)
    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    const asked: Asked = {
      method: request.method ?? 'GET',
      path: mark < 0 ? target : target.slice(0, mark),
      search: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
      request,
      response,
      vouch: () => places?.vouch(request.socket),
    }
    handle(asked).catch((thrown: unknown) => {
      logger.error('a request could not be handled', { reason: asError(thrown).message })
      if (response.headersSent) response.destroy()
      else sendJson(response, 500, refusal(500, 'internal error'))
    })
  })
  if (places !== undefined) server.on('connection', (socket: Socket) => places.admit(socket))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseBroken(error, socket, refusal))
  await listening(server, options)
  const { port } = server.address() as AddressInfo
  return {
    host: options.host,
    port,
    takeNoMore: () => {
      server.close()
      server.closeIdleConnections()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listening(server: Server, { host, port }: HttpPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new Failure('port-taken', `The HTTP port ${port} on ${host} cannot be opened.`, {
          advice: 'Choose another one with --http host:port.',
          cause,
        }),
      ),
    )
    server.listen(port, host, resolve)
  })
}

function refusalOf(
  { headers, httpVersion }: IncomingMessage,
  { host, allowOrigin, judgesOrigins }: ListenerOptions,
): { status: number; text: string } | undefined {
  // RFC 9112 §3.2.
  if (headers.host === undefined && httpVersion !== '1.0') return { status: 400, text: 'the request has no header Host' }
  if (isLoopback(host) && !isLoopback((headers.host ?? host).replace(/:\d+$/, '').replace(/^\[|\]$/g, '')))
    return { status: 403, text: 'this address is for programs of this computer only' }
  const { origin } = headers
  if (!judgesOrigins && origin !== undefined && allowOrigin !== '*' && allowOrigin !== origin)
    return { status: 403, text: 'web pages may not use this address; see --allow-origin' }
  return undefined
}

/** Answers what is no request that Node can read, and ends its connection. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Socket, refusal: (status: number, text: string) => unknown): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const body = JSON.stringify(refusal(status, status === 400 ? 'this is no HTTP request' : (STATUS_CODES[status] ?? '')))
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json`
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

function allowPages(response: ServerResponse, origin: string): void {
  response.setHeader('Access-Control-Allow-Origin', origin)
  response.setHeader('Access-Control-Allow-Methods', 'GET, POST, OPTIONS')
  response.setHeader('Access-Control-Allow-Headers', 'Content-Type, Authorization')
}

export function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text, 'utf8')
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length })
  response.end(body)
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendText(response, status, 'application/json', JSON.stringify(value))
}

/** The whole body. @throws Failure `body-too-large`, `stopped` when it breaks off */
export function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let length = 0
    request.on('data', (part: Buffer) => {
      length += part.length
      if (length <= mostBytes) return parts.push(part)
      // The rest is read and dropped, so that the refusal arrives.
      parts.length = 0
      reject(new Failure('body-too-large', `A request has at most ${mostBytes} bytes.`))
    })
    request.on('end', () => resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)))
    request.on('error', reject)
    request.on('close', () => {
      if (!request.complete) reject(new Failure('stopped', 'The request was broken off.'))
    })
  })
}

/** Resolves when more may be written, or the reader is gone, or `mostMs` passed. */
export function writable(response: ServerResponse, mostMs?: number): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    const timer = mostMs === undefined ? undefined : setTimeout(done, mostMs)
    response.on('drain', done)
    response.on('close', done)
  })
}
