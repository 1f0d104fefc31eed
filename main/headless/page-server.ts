import { randomInt } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { linkProtocol, pageKeyAmong, pageWithKey } from '../../preload/api/link.ts'
import { type Handlers, servePage } from '../api-link.ts'
import type { Logger } from '../base/logger.ts'
import type { Sessions } from './sessions.ts'

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.png': 'image/png',
}

/** Close code for a page whose cookie or key is missing or unknown; the page then explains how to get a new link. */
const unauthorized = 4401
/** A page that sends more than this in one message is broken or hostile: the longest question is 100,000 characters. */
const maxMessageBytes = 1 << 20
/** A page that does not read is waited for above this; streams pause meanwhile. */
const highWaterBytes = 4 << 20
/** A page that is asleep does not answer the end of its connection; the app does not wait for it. */
const closeGraceMs = 300

export interface PageServerOptions {
  /** Folder of the built renderer. */
  readonly root: string
  readonly sessions: Sessions
  readonly handlers: Handlers
  readonly logger: Logger
  /** Wanted port; another is chosen when it is taken. Without one, nobody can know the port beforehand. */
  readonly port?: number
}

export interface PageServer {
  readonly port: number
  /** True when the wanted port was taken. */
  readonly moved: boolean
  /** Makes a link that opens the page once. */
  newLink(): string
  close(): Promise<void>
}

/** Ports that are no service's (RFC 6335, section 6): dynamic ones. */
const firstDynamicPort = 49_152
const portTries = 100

/** Other installs may run beside this one. */
const mostOtherCookies = 8
const cookieName = (port: number): string => `cocoon_session_${port}`

const setCookie = (name: string, value: string, more = ''): string => `${name}=${value}; HttpOnly; SameSite=Strict; Path=/${more}`

/** Of runs at other ports, but for the newest: each start leaves one in a browser that stays open, and all are sent with each request. */
function formerCookies(request: IncomingMessage, port: number): string[] {
  const names = (request.headers.cookie ?? '').split(';').map((part) => part.trim().split('=', 1)[0] ?? '')
  return names.filter((name) => /^cocoon_session_\d+$/.test(name) && name !== cookieName(port)).slice(0, -mostOtherCookies)
}

function cookieOf(request: IncomingMessage, port: number): string {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=')
    if (name === cookieName(port) && value) return value
  }
  return ''
}

const offeredBy = (request: IncomingMessage): string[] =>
  (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim())

const securityHeaders = (port: number): Record<string, string> => ({
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    // Else script-src would allow them: what is kept by a service worker outlives its server.
    "worker-src 'none'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    `connect-src 'self' ws://127.0.0.1:${port} ws://localhost:${port}`,
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
})

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The page server has no port.')
  return address.port
}

const isTaken = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES')

/**
 * Listens on a port by chance. The port is part of the page's origin: whoever served a page on it before, while the app was off, can have left there an open
 * tab, a service worker or a cached file, all of which share the page's storage. Systems may hand out free ports in order, so the choice is not left to them.
 * @returns the port
 * @throws when a hundred ports were taken
 */
async function listenAnywhere(server: Server): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await listen(server, randomInt(firstDynamicPort, 65_536))
    } catch (error) {
      if (!isTaken(error) || tries === portTries) throw error
    }
  }
}

/**
 * Serves the renderer and its WebSocket on 127.0.0.1. Requests must name this host (against DNS rebinding), WebSockets must come
 * from this origin, and everything but the one-time link needs the session cookie. The WebSocket needs the page's key as well: cookies know no ports, so
 * the browser shows them to every web server on 127.0.0.1, and a program sets any origin.
 */
export async function startPageServer(options: PageServerOptions): Promise<PageServer> {
  const { root, sessions, handlers, logger } = options
  let port = 0

  const hosts = (): readonly string[] => [`127.0.0.1:${port}`, `localhost:${port}`]
  const rightHost = (request: IncomingMessage): boolean => hosts().includes(request.headers.host ?? '')
  const rightOrigin = (request: IncomingMessage): boolean => hosts().some((host) => request.headers.origin === `http://${host}`)
  const hasCookie = (request: IncomingMessage): boolean => sessions.knowsCookie(cookieOf(request, port))
  const mayTalk = (request: IncomingMessage): boolean =>
    sessions.isOpen({ cookie: cookieOf(request, port), pageKey: pageKeyAmong(offeredBy(request)) ?? '' })

  const refuse = (response: ServerResponse, status: number, text: string): void => {
    response.writeHead(status, {
      ...securityHeaders(port),
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
    })
    response.end(`${text}\n`)
  }

  const openByLink = (url: URL, request: IncomingMessage, response: ServerResponse): void => {
    const session = sessions.redeem(url.searchParams.get('token') ?? '')
    // A link opened a second time in the same browser is no harm: that browser already has its session. The key is told to no cookie.
    if (!session && !hasCookie(request)) {
      refuse(response, 401, 'This link was used up. Copy a new one from the terminal where Cocoon runs (press Enter there).')
      return
    }
    const cookies = session
      ? [
          setCookie(cookieName(port), session.cookie),
          ...formerCookies(request, port).map((name) => setCookie(name, '', '; Max-Age=0')),
        ]
      : []
    const location = session ? pageWithKey(session.pageKey) : '/'
    response.writeHead(303, { ...securityHeaders(port), 'set-cookie': cookies, location, 'cache-control': 'no-store' })
    response.end()
  }

  const serveFile = async (path: string, response: ServerResponse): Promise<void> => {
    const file = normalize(join(root, path === '/' ? 'index.html' : path))
    const type = contentTypes[extname(file)]
    const found = file.startsWith(root + sep) && type ? await stat(file).catch(() => null) : null
    if (!found?.isFile() || !type) {
      refuse(response, 404, 'There is no such page.')
      return
    }
    const body = await readFile(file)
    response.writeHead(200, { ...securityHeaders(port), 'content-type': type, 'cache-control': 'no-store' })
    response.end(body)
  }

  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      if (!rightHost(request)) return refuse(response, 421, 'Unknown host.')
      if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'Only GET is answered here.')
      const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
      if (url.pathname === '/open') return openByLink(url, request, response)
      if (!hasCookie(request)) {
        return refuse(response, 401, 'Open the link that the terminal shows. Press Enter there for a new one.')
      }
      await serveFile(decodeURIComponent(url.pathname), response)
    }
    answer().catch((error: unknown) => {
      logger.warn('a page request failed', { kind: error instanceof Error ? error.name : 'unknown' })
      if (!response.headersSent) refuse(response, 400, 'The request could not be read.')
      else response.destroy()
    })
  })
  server.headersTimeout = 10_000

  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    // Never the one that holds the key.
    handleProtocols: (offered) => offered.has(linkProtocol) && linkProtocol,
  })
  server.on('upgrade', (request, socket, head) => {
    // From here on Node leaves the errors of this socket to us; without a listener a peer that resets it would end the app.
    socket.on('error', (error) => logger.debug('an upgraded connection failed', { message: error.message }))
    if (!rightHost(request) || !rightOrigin(request) || request.url !== '/api') {
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n', () => socket.destroy())
      return
    }
    sockets.handleUpgrade(request, socket, head, (page) => {
      page.on('error', (error) => logger.warn('a page connection failed', { message: error.message }))
      if (mayTalk(request)) connectPage(page)
      else page.close(unauthorized, 'open a new link')
    })
  })

  const connectPage = (page: WebSocket): void => {
    let waiting: Array<() => void> = []
    const drainedNow = (): boolean => page.readyState !== page.OPEN || page.bufferedAmount < highWaterBytes
    const session = servePage(
      {
        send: (message) => {
          if (page.readyState !== page.OPEN) return
          page.send(JSON.stringify(message), () => {
            if (!drainedNow()) return
            for (const resolve of waiting) resolve()
            waiting = []
          })
        },
        drained: () => (drainedNow() ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
        close: (reason) => page.close(1008, reason),
      },
      handlers,
      logger,
    )
    page.on('message', (data, isBinary) => {
      if (isBinary) return page.close(1003, 'text only')
      let raw: unknown
      try {
        raw = JSON.parse(data.toString())
      } catch {
        return page.close(1007, 'not JSON')
      }
      session.receive(raw)
    })
    page.on('close', () => {
      session.closed()
      for (const resolve of waiting) resolve()
    })
  }

  let moved = false
  try {
    port = options.port === undefined ? await listenAnywhere(server) : await listen(server, options.port)
  } catch (error) {
    if (!isTaken(error) || options.port === undefined) throw error
    moved = true
    port = await listenAnywhere(server)
  }

  return {
    port,
    moved,
    newLink: () => `http://127.0.0.1:${port}/open?token=${sessions.newLinkToken()}`,
    async close() {
      for (const page of sockets.clients) page.close(1001, 'the app stops')
      sockets.close()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      const patience = setTimeout(() => {
        for (const page of sockets.clients) page.terminate()
      }, closeGraceMs)
      await closed
      clearTimeout(patience)
    },
  }
}
