import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { linkProtocol, linkProtocols, pageKeyInHash } from '../../preload/api/link.ts'
import type { Handlers } from '../api-link.ts'
import { silentLogger } from '../base/logger.ts'
import { type PageServer, startPageServer } from './page-server.ts'
import { type Session, Sessions } from './sessions.ts'

const root = mkdtempSync(join(tmpdir(), 'cocoon-page-'))
writeFileSync(join(root, 'index.html'), '<title>Cocoon</title>')
writeFileSync(join(root, 'secret.pem'), 'not a page')
mkdirSync(join(root, 'assets'))
writeFileSync(join(root, 'assets', 'app-5f1c.js'), 'start()')

const handlers = { calls: {}, streams: {} } as unknown as Handlers

let server: PageServer
const start = async (port?: number): Promise<PageServer> => {
  const wanted = port === undefined ? {} : { port }
  server = await startPageServer({ root, sessions: new Sessions(), handlers, logger: silentLogger, ...wanted })
  return server
}
afterEach(() => server.close())

function request(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage & { text: string }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: server.port, path, headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.on('end', () => resolve(Object.assign(response, { text })))
    }).on('error', reject)
  })
}

/** What a browser has after the one-time link: its cookie as a header, and the key that the address brought to the page. */
async function signIn(): Promise<Session> {
  const { pathname, search } = new URL(server.newLink())
  const response = await request(pathname + search)
  expect(response.statusCode).toBe(303)
  const cookie = response.headers['set-cookie']?.[0] ?? ''
  expect(cookie).toMatch(/HttpOnly; SameSite=Strict/)
  const pageKey = pageKeyInHash(new URL(response.headers.location ?? '', link('')).hash)
  if (pageKey === undefined) throw new Error(`The link led to ${response.headers.location}.`)
  return { cookie: cookie.split(';')[0] ?? '', pageKey }
}

const link = (path: string): string => `http://127.0.0.1:${server.port}${path}`

/** Opens the page's WebSocket and reports how it ended, or that it stays open. */
function socket(headers: Record<string, string>, pageKey?: string): Promise<string> {
  const page = new WebSocket(`ws://127.0.0.1:${server.port}/api`, linkProtocols(pageKey), { headers })
  return new Promise((resolve) => {
    page.on('unexpected-response', (_request, response) => resolve(`http ${response.statusCode}`))
    page.on('close', (code) => resolve(`closed ${code}`))
    page.on('error', () => resolve('error'))
    page.on('message', (data) => {
      resolve(`message ${data.toString()}`)
      page.close()
    })
    page.on('open', () => page.send(JSON.stringify({ t: 'call', n: 3, name: 'no.such', input: {} })))
  })
}

/** A bare socket that has asked for the page's WebSocket and then does only what the test says. */
async function upgrade(origin: string, session?: Session): Promise<Socket> {
  const peer = connect(server.port, '127.0.0.1')
  onTestFinished(() => {
    peer.destroy()
  })
  peer.on('error', () => undefined)
  await new Promise((resolve) => peer.once('connect', resolve))
  const headers = [
    `Host: 127.0.0.1:${server.port}`,
    `Origin: ${origin}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(session ? [`Cookie: ${session.cookie}`, `Sec-WebSocket-Protocol: ${linkProtocols(session.pageKey).join(', ')}`] : []),
  ]
  peer.write(`GET /api HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  return peer
}

const firstData = (peer: Socket): Promise<unknown> => new Promise((resolve) => peer.once('data', resolve))

/** Errors that nothing caught: each would have ended the app. */
function uncaughtErrors(): unknown[] {
  const errors: unknown[] = []
  const note = (error: unknown): unknown => errors.push(error)
  process.on('uncaughtException', note)
  onTestFinished(() => {
    process.off('uncaughtException', note)
  })
  return errors
}

describe('page server', () => {
  it('takes away the cookies of runs long ago, which the browser would send along for ever, and leaves those of the newest', async () => {
    await start()
    const { pathname, search } = new URL(server.newLink())
    const others = Array.from({ length: 11 }, (_, at) => `cocoon_session_${50_000 + at}`)
    const cookie = ['theme=dark', ...others.map((name) => `${name}=x`)].join('; ')
    const cookies = (await request(pathname + search, { cookie })).headers['set-cookie'] ?? []
    expect(cookies[0]).toMatch(new RegExp(`^cocoon_session_${server.port}=[^;]{20,}; HttpOnly; SameSite=Strict; Path=/$`))
    const gone = others.slice(0, 3).map((name) => `${name}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0`)
    expect(cookies.slice(1)).toEqual(gone)
  })

  it('gives nothing without the one-time link, and the link works once', async () => {
    await start()
    expect((await request('/')).statusCode).toBe(401)
    const link = new URL(server.newLink())
    expect((await request(link.pathname + link.search)).statusCode).toBe(303)
    expect((await request(link.pathname + link.search)).statusCode).toBe(401)
    expect((await request('/open?token=')).statusCode).toBe(401)
  })

  it('serves the page with a strict policy to a session, and no other files', async () => {
    await start()
    const { cookie } = await signIn()
    const page = await request('/', { cookie })
    expect(page.text).toContain('Cocoon')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    for (const path of [
      '/secret.pem',
      '/../package.json',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..%2fpackage.json',
      '/assets/none.js',
    ]) {
      expect((await request(path, { cookie })).statusCode, path).toBe(404)
    }
    expect((await request('/%', { cookie })).statusCode).toBe(400)
  })

  it('refuses requests that name another host (DNS rebinding)', async () => {
    await start()
    const { cookie } = await signIn()
    expect((await request('/', { cookie, host: 'evil.example.org' })).statusCode).toBe(421)
  })

  it('lets only the own page with a session use the socket', async () => {
    await start()
    const { cookie, pageKey } = await signIn()
    const origin = `http://127.0.0.1:${server.port}`
    expect(await socket({ origin, cookie }, pageKey)).toMatch(/"code":"unknown-name"/)
    expect(await socket({ origin }, pageKey)).toBe('closed 4401')
    expect(await socket({ origin: 'http://evil.example.org', cookie }, pageKey)).toBe('http 403')
    expect(await socket({ cookie }, pageKey)).toBe('http 403')
  })

  it('does not let somebody talk who has only the cookie, which every web server of this computer is shown', async () => {
    await start()
    const origin = `http://127.0.0.1:${server.port}`
    const used = new URL(server.newLink())
    const first = await request(used.pathname + used.search)
    const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
    const other = await signIn()
    for (const wrong of [undefined, '', other.pageKey, cookie.split('=')[1], 'x'.repeat(43)])
      expect(await socket({ origin, cookie }, wrong), wrong).toBe('closed 4401')
    // Nor is the key told for it: not by a used link, not by the page, not in the socket's answer.
    expect((await request(used.pathname + used.search, { cookie })).headers.location).toBe('/')
    const pageKey = pageKeyInHash(new URL(first.headers.location ?? '', origin).hash) ?? ''
    expect((await request('/', { cookie })).text).not.toContain(pageKey)
    const page = new WebSocket(`ws://127.0.0.1:${server.port}/api`, linkProtocols(pageKey), { headers: { origin, cookie } })
    await new Promise((resolve) => page.once('open', resolve))
    expect(page.protocol).toBe(linkProtocol)
    page.close()
  })

  it('knows no session of before its start', async () => {
    await start()
    const { port } = server
    const { cookie, pageKey } = await signIn()
    await server.close()
    await start(port)
    expect(server.port).toBe(port)
    expect((await request('/', { cookie })).statusCode).toBe(401)
    expect(await socket({ origin: `http://127.0.0.1:${port}`, cookie }, pageKey)).toBe('closed 4401')
  })

  it('closes a socket that sends what is not JSON', async () => {
    await start()
    const { cookie, pageKey } = await signIn()
    const page = new WebSocket(`ws://127.0.0.1:${server.port}/api`, linkProtocols(pageKey), {
      headers: { origin: `http://127.0.0.1:${server.port}`, cookie },
    })
    page.on('open', () => page.send('{'))
    expect(await new Promise((resolve) => page.on('close', resolve))).toBe(1007)
  })

  it('is at a port by chance that nobody can know beforehand, and leaves nothing there for after it', async () => {
    const ports = new Set<number>()
    for (let n = 0; n < 12; n++) {
      await start()
      ports.add(server.port)
      expect(server.moved).toBe(false)
      if (n < 11) await server.close()
    }
    // Twelve free ports in order or close together would be the system's choice, or a fixed one. (By chance: less than once in 10^15.)
    expect(Math.max(...ports) - Math.min(...ports)).toBeGreaterThan(500)
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(49_152)
    const { cookie } = await signIn()
    for (const path of ['/', '/assets/app-5f1c.js']) {
      const { statusCode, headers } = await request(path, { cookie })
      expect({ statusCode, cached: headers['cache-control'] }, path).toEqual({ statusCode: 200, cached: 'no-store' })
      expect(headers['content-security-policy'], path).toContain("worker-src 'none'")
    }
  })

  it('takes another port when the wanted one is taken, and says so', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await start(port)
    expect(server.moved).toBe(true)
    expect(server.port).not.toBe(port)
    expect((await request('/')).statusCode).toBe(401)
    other.close()
  })

  it('outlives peers that reset a refused socket, or send nonsense without a session', async () => {
    const errors = uncaughtErrors()
    await start()
    for (let n = 0; n < 20; n++) {
      const peer = await upgrade('http://evil.example.org')
      if (n % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 1))
      peer.resetAndDestroy()
    }
    const stranger = await upgrade(`http://127.0.0.1:${server.port}`)
    await firstData(stranger)
    stranger.write(Uint8Array.of(0xff, 0xff, 0, 0))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await request('/')).statusCode).toBe(401)
    expect(errors).toEqual([])
  })

  it('stops soon, also when a page is asleep and a refused peer stays', async () => {
    await start()
    const session = await signIn()
    await firstData(await upgrade(`http://127.0.0.1:${server.port}`, session))
    const refused = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    onTestFinished(() => {
      refused.destroy()
    })
    refused.on('error', () => undefined)
    refused.write('GET /api HTTP/1.1\r\nHost: evil\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await firstData(refused)
    const begunMs = performance.now()
    await server.close()
    expect(performance.now() - begunMs).toBeLessThan(2000)
  })
})
