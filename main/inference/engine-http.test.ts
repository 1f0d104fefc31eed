import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { EngineHttp } from './engine-http.ts'

class Broken extends Error {}

const opened: { close(): void }[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

/** A server of bare sockets: `answer` sees each piece that comes, with the number of its connection. */
async function served(answer: (socket: Socket, piece: string, connection: number) => void) {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    const number = ++connections
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (piece: Buffer) => answer(socket, piece.toString('latin1'), number))
  })
  const http = await listening(server)
  opened.push({ close: () => sockets.forEach((socket) => socket.destroy()) }, server)
  return { http, connections: () => connections }
}

async function listening(server: Server): Promise<EngineHttp> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const http = new EngineHttp(new URL(`http://127.0.0.1:${port}/base/`), (cause) => new Broken('broken', { cause }))
  opened.push(http)
  return http
}

const never = new AbortController().signal
const asked = { method: 'POST', path: '/x', headers: [], body: Buffer.from('ü{}') } as const

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const part of body) text += Buffer.from(part).toString('latin1')
  return text
}

const ask = async (http: EngineHttp, signal = never): Promise<string> => textOf((await http.send(asked, signal)).body)
const answered = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`

describe('EngineHttp', () => {
  it('speaks HTTP that another implementation reads, bodies of every size and many at once', async () => {
    const server = createHttpServer(async (request, response) => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const body = Buffer.concat(parts)
      response.setHeader('X-Seen', `${request.method} ${request.url} ${request.headers.host} ${request.headers['x-one']}`)
      for (let at = 0; at < body.length; at += 70_000) response.write(body.subarray(at, at + 70_000))
      response.end()
    })
    const http = await listening(server)
    opened.push(server)
    const sizes = [0, 1, 12_287, 12_288, 12_289, 500_000, 3_000_000]
    await Promise.all(
      sizes.map(async (size) => {
        const body = Buffer.alloc(size, 'ü€x')
        const response = await http.send({ ...asked, headers: [['X-One', 'a b']], body }, never)
        expect(response.status).toBe(200)
        expect(response.headers.find(([name]) => name === 'X-Seen')?.[1]).toMatch(/^POST \/base\/x 127\.0\.0\.1:\d+ a b$/)
        expect((await textOf(response.body)) === body.toString('latin1')).toBe(true)
      }),
    )
  })

  it('uses one connection for one request after the other, a second one only beside it', async () => {
    const { http, connections } = await served((socket) => setTimeout(() => socket.write(answered('ok')), 5))
    for (let i = 0; i < 5; i++) expect(await ask(http)).toBe('ok')
    expect(connections()).toBe(1)
    await Promise.all([ask(http), ask(http)])
    await Promise.all([ask(http), ask(http)])
    expect(connections()).toBe(2)
  })

  it('asks again when an idle connection was closed as it was used', async () => {
    let closeNext = false
    const { http, connections } = await served((socket) => {
      if (closeNext) socket.resetAndDestroy()
      else socket.write(answered('ok'))
      closeNext = false
    })
    await ask(http)
    closeNext = true
    expect(await ask(http)).toBe('ok')
    expect(connections()).toBe(2)
  })

  it('does not ask again where the engine may have begun', async () => {
    let requests = 0
    const { http } = await served((socket) => {
      requests++
      if (requests === 1) socket.write(answered('ok'))
      else {
        socket.write('HTTP/1.1 200 OK\r\nContent-')
        socket.end()
      }
    })
    await ask(http)
    await expect(ask(http)).rejects.toThrow(Broken)
    expect(requests).toBe(2)
  })

  it('leaves a connection that its server will not keep', async () => {
    const { http, connections } = await served((socket, _, number) =>
      socket.write(
        number === 1
          ? 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n'
          : 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      ),
    )
    for (let i = 0; i < 3; i++) await ask(http)
    expect(connections()).toBe(3)
  })

  it('does not take what an idle connection says for an answer', async () => {
    const { http } = await served((socket) => socket.write(`${answered('ok')}${answered('forged')}`))
    for (let i = 0; i < 3; i++) expect(await ask(http)).toBe('ok')
  })

  it('ends the body without an error when the signal aborts, and the server sees it', async () => {
    const closed = Promise.withResolvers<void>()
    const { http } = await served((socket) => {
      socket.on('close', () => closed.resolve())
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    })
    const abort = new AbortController()
    const { body } = await http.send(asked, abort.signal)
    let text = ''
    for await (const part of body) {
      text += Buffer.from(part).toString('latin1')
      abort.abort()
    }
    expect(text).toBe('half')
    await closed.promise
  })

  it('rejects when the signal aborts before the head', async () => {
    const abort = new AbortController()
    const { http } = await served(() => abort.abort())
    await expect(ask(http, abort.signal)).rejects.toThrow(Broken)
    await expect(ask(http, abort.signal)).rejects.toThrow(Broken)
  })

  it.each([
    ['breaks off', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'],
    ['is malformed in the middle', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nx\r\n'],
  ])('shows what came and then fails when an answer %s', async (_, text) => {
    const { http } = await served((socket) => socket.end(text))
    const { body } = await http.send(asked, never)
    let found = ''
    const reading = (async () => {
      for await (const part of body) found += Buffer.from(part).toString('latin1')
    })()
    await expect(reading).rejects.toThrow(Broken)
    expect(found).toBe('half')
  })

  it('closes the connection when a body is not read to its end', async () => {
    const closed = Promise.withResolvers<void>()
    const { http } = await served((socket) => {
      socket.on('close', () => closed.resolve())
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    })
    const { body } = await http.send(asked, never)
    for await (const _ of body) break
    await closed.promise
  })

  it('goes no faster than its reader', async () => {
    const block = 'x'.repeat(100_000)
    let sent = 0
    const { http } = await served((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${300 * block.length}\r\n\r\n`)
      const more = (): void => {
        while (sent < 300) {
          sent++
          if (!socket.write(block)) return void socket.once('drain', more)
        }
      }
      more()
    })
    const { body } = await http.send(asked, never)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(sent).toBeLessThan(200)
    let length = 0
    for await (const part of body) length += part.length
    expect(length).toBe(300 * block.length)
  })

  it.each([
    ['a header with a line break', { headers: [['A', 'b\r\nContent-Length: 0']] }],
    ['a name with a space', { headers: [['A b', 'c']] }],
    ['a path with a line break', { path: '/x HTTP/1.1\r\nA: b' }],
    ['a method with a space', { method: 'POST /' }],
  ] as const)('sends nothing for %s', async (_, change) => {
    let pieces = 0
    const { http } = await served(() => pieces++)
    await expect(http.send({ ...asked, ...change }, never)).rejects.toThrow(TypeError)
    expect(pieces).toBe(0)
  })
})
