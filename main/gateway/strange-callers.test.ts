import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { endless, question, stageOf } from './testing/gateway-scene.ts'
import { eventsOf, paidPlace } from './testing/gateway-stage.ts'

describe('what is no request of a program', () => {
  it.each([
    ['GET', '/v1/chat/completions', {}, 405, 'method_not_allowed'],
    ['POST', '/v1/models', {}, 405, 'method_not_allowed'],
    ['DELETE', '/health', {}, 405, 'method_not_allowed'],
    ['POST', '/v1/responses', {}, 404, 'unknown_url'],
    ['GET', '/v1/models/network%2Fnone', {}, 404, 'model_not_found'],
    ['GET', '/v1/models/%ff%', {}, 404, 'model_not_found'],
    ['POST', '/v1/chat/completions', { 'Content-Type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['POST', '/v1/chat/completions', { 'Content-Encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['GET', '/v1/models', { Host: 'evil.example' }, 403, 'host_not_allowed'],
    ['GET', '/health', { Host: 'evil.example:4811' }, 403, 'host_not_allowed'],
    ['GET', '/health', { Host: '127.0.0.1.evil.example' }, 403, 'host_not_allowed'],
    ['GET', '/v1/models', { Origin: 'https://evil.example' }, 403, 'origin_not_allowed'],
    ['GET', '/v1/models', { Origin: 'null' }, 403, 'origin_not_allowed'],
  ])('%s %s with %o', async (method, path, headers, status, code) => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ level: 'practice' })
    const body = method === 'POST' ? question : undefined
    const reply = await stage.send(method, path, { key, headers: headers as Record<string, string>, ...(body && { body }) })
    expect(reply.status).toBe(status)
    expect(reply.json()).toEqual({
      error: { message: expect.any(String), type: expect.any(String), param: expect.toBeOneOf([null, expect.any(String)]), code },
    })
    expect(reply.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('names of this computer are taken', async () => {
    const stage = await stageOf(paidPlace(1n))
    for (const Host of ['localhost', `localhost:${stage.port}`, '127.0.0.1', '[::1]:80'])
      expect((await stage.send('GET', '/health', { headers: { Host } })).status).toBe(200)
  })

  it('pages of listed origins alone may ask, and are told so beforehand', async () => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ origins: ['http://localhost:3000'] })
    const ask = (origin: string) => ({
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization, x-stainless-os',
    })
    const yes = await stage.send('OPTIONS', '/v1/chat/completions', { headers: ask('http://localhost:3000') })
    expect([yes.status, yes.headers['access-control-allow-origin'], yes.headers['access-control-allow-headers']]).toEqual([
      204,
      'http://localhost:3000',
      'authorization, x-stainless-os',
    ])
    const no = await stage.send('OPTIONS', '/v1/chat/completions', { headers: ask('http://localhost:3001') })
    expect([no.status, no.headers['access-control-allow-origin']]).toEqual([403, undefined])
    const other = stage.key()
    const reply = await stage.send('GET', '/v1/models', { key, headers: { Origin: 'http://localhost:3000' } })
    expect([reply.status, reply.headers['access-control-allow-origin'], reply.headers.vary]).toEqual([
      200,
      'http://localhost:3000',
      'Origin',
    ])
    expect((await stage.send('GET', '/v1/models', { key: other, headers: { Origin: 'http://localhost:3000' } })).status).toBe(403)
  })

  it('a body beyond the limit is refused, told or not', async () => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ level: 'practice' })
    const huge = new Uint8Array((16 << 20) + 1).fill(0x20)
    const told = await stage.send('POST', '/v1/chat/completions', { key, body: huge })
    expect([told.status, (told.json() as { error: { code: string } }).error.code]).toEqual([413, 'request_too_large'])
    const headers = { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }
    const untold = await stage.send('POST', '/v1/chat/completions', { key, headers, body: huge })
    expect(untold.status).toBe(413)
    expect((untold.json() as { error: { code: string } }).error.code).toBe('request_too_large')
    expect(stage.gateway.view().recent.map(({ status }) => status)).toEqual([413, 413])
  })

  it('requests that come by drops are ended', async () => {
    const stage = await stageOf(paidPlace(1n), { limits: { headMs: 200, requestMs: 300 } })
    const key = stage.key({ level: 'practice' })
    const drip = (start: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(stage.port, '127.0.0.1')
        let text = ''
        socket.on('data', (data) => {
          text += data.toString()
        })
        socket.once('close', () => resolve(text))
        socket.once('error', () => undefined)
        socket.write(start)
      })
    const [head, body] = await Promise.all([
      drip('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A:'),
      drip(
        `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
      ),
    ])
    for (const text of [head, body]) {
      expect(text).toMatch(/^HTTP\/1.1 408 /)
      expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ error: { type: 'invalid_request_error' } })
    }
    expect(await drip('GARBAGE\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*"error"/)
    expect(await drip(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 [\s\S]*"error"/,
    )
    expect(stage.gateway.view().running).toBe(0)
  })
})

describe('more connections than there are places', () => {
  const places = 256
  /** Connections that were opened and stay as they are. */
  async function opened(port: number, count: number, words: string) {
    const all = Array.from({ length: count }, () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.on('data', () => undefined)
      socket.write(words)
      return socket
    })
    await Promise.all(all.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))))
    onTestFinished(() => {
      for (const socket of all) socket.destroy()
    })
    return all
  }

  it.each([
    ['say nothing', ''],
    ['say half a head', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A:'],
    ['send a body by drops', 'POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{'],
  ])('and without a key keep nobody out: those that %s', async (_name, words) => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const before = performance.now()
    const waiting = await opened(stage.port, 4 * places, words)
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: question })).status).toBe(200)
    // Not only once the slow ones have run into their own limit of 20 s.
    expect(performance.now() - before).toBeLessThan(10_000)
    await expect.poll(() => waiting.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(places)
  })

  it('and with a request of a key under way give way to no other', async () => {
    const place = paidPlace(5n)
    place.answer = endless(2n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const running = stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true } })
    await expect.poll(() => stage.gateway.view().running).toBe(1)
    const waiting = await opened(stage.port, 2 * places, '')
    await expect.poll(() => waiting.filter(({ destroyed }) => !destroyed).length).toBeLessThan(places)
    expect(stage.gateway.view().running).toBe(1)
    stage.gateway.revokeKey({ id: stage.gateway.view().keys[0]?.id ?? '' })
    expect(eventsOf((await running).text).at(-1)).toMatchObject({ error: { code: 'invalid_api_key' } })
  })
})
