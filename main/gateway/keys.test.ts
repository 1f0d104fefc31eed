import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { describe, expect, it } from 'vitest'
import { endless, lines, localPlace, question, stageOf, stageOver, usage } from './testing/gateway-scene.ts'
import { documentAnswer, eventsOf, paidPlace, type Stage } from './testing/gateway-stage.ts'

describe('a key', () => {
  it('is needed for everything but the health', async () => {
    const stage = await stageOf(paidPlace(1n))
    const key = stage.key()
    for (const [method, path] of [
      ['GET', '/v1/models'],
      ['POST', '/v1/chat/completions'],
      ['GET', '/metrics'],
      ['GET', '/nothing'],
    ] as const) {
      for (const headers of [
        {},
        { Authorization: 'Bearer sk-cocoon-wrong' },
        { Authorization: `Basic ${key}` },
        { Authorization: 'Bearer' },
      ]) {
        const reply = await stage.send(method, path, { headers: headers as Record<string, string>, body: question })
        expect(reply.status).toBe(401)
        expect(reply.json()).toMatchObject({ error: { type: 'authentication_error', code: 'invalid_api_key', param: null } })
      }
    }
    expect((await stage.send('GET', '/health')).json()).toEqual({ status: 'ok', backends: { network: 'ready' } })
  })

  it('is nowhere on disk, and nothing of a question or answer is in books and logs', async () => {
    const place = paidPlace(5n)
    place.answer = () => documentAnswer({ choices: [{ message: { content: 'a word nobody may keep' } }], usage }, 5n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: question })).status).toBe(200)
    await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, tools: 'utmost secrecy' } })
    const kept = [stage.databasePath, `${stage.databasePath}-wal`].map((path) => readFileSync(path, 'latin1')).join('\n')
    for (const secret of [key, key.slice('sk-cocoon-'.length), 'utmost secrecy', 'nobody may keep']) {
      expect(kept).not.toContain(secret)
      expect(lines.join('\n')).not.toContain(secret)
      const metrics = await stage.send('GET', '/metrics', { key })
      expect(metrics.text).not.toContain(secret)
    }
    expect(kept).toContain('api_key')
  })

  it('that is revoked opens nothing, and its requests under way end with the reason', async () => {
    const place = paidPlace(5n)
    place.answer = endless(2n)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const running = stage.send('POST', '/v1/chat/completions', { key, body: { ...question, stream: true } })
    await expect.poll(() => stage.gateway.view().running).toBe(1)
    const [shown] = stage.gateway.view().keys
    stage.gateway.revokeKey({ id: shown?.id ?? '' })
    const { text } = await running
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: 'invalid_api_key' } })
    expect(text).not.toContain('[DONE]')
    expect((await stage.send('GET', '/v1/models', { key })).status).toBe(401)
    expect(stage.gateway.view().keys).toEqual([])
    expect(() => stage.gateway.revokeKey({ id: shown?.id ?? '' })).toThrow(/no such key/)
  })

  it('goes to no place that the user did not agree to', async () => {
    const place = paidPlace(5n)
    const local = localPlace()
    const stage = await stageOver([local, place.backend])
    const terms = { name: 'x', models: null, origins: [], dailyLimit: 10n }
    expect(() => stage.gateway.createKey({ ...terms, level: 'practice', consent: false })).toThrow(/agreed/)
    expect(() => stage.gateway.createKey({ ...terms, level: 'open', consent: true })).toThrow(/cannot be used here/)
    const narrow = stage.gateway.createKey({ ...terms, level: 'computer', consent: false })
    const asked = async (key: string, model: string, headers = {}) => {
      const reply = await stage.send('POST', '/v1/chat/completions', { key, headers, body: { ...question, model } })
      return [reply.status, reply.headers['x-cocoon-level'], (reply.json() as { error?: { code: string } }).error?.code]
    }
    expect(await asked(narrow.secret, 'network/paid')).toEqual([403, undefined, 'level_not_allowed'])
    expect(await asked(narrow.secret, 'paid', { 'X-Cocoon-Level': 'practice' })).toEqual([403, undefined, 'level_not_allowed'])
    expect(place.asked).toEqual([])
    expect(await asked(narrow.secret, 'paid')).toEqual([200, 'computer', undefined])
    stage.gateway.changeKey({ id: narrow.id, ...terms, level: 'practice', consent: true })
    expect(await asked(narrow.secret, 'paid')).toEqual([200, 'practice', undefined])
    expect(await asked(narrow.secret, 'local/paid')).toEqual([200, 'computer', undefined])
    expect(await asked(narrow.secret, 'paid', { 'X-Cocoon-Level': 'local' })).toEqual([200, 'computer', undefined])
    expect(await asked(narrow.secret, 'local/paid', { 'X-Cocoon-Level': 'network' })).toEqual([400, undefined, 'invalid_value'])
    expect(await asked(narrow.secret, 'paid', { 'X-Cocoon-Level': 'moon' })).toEqual([400, undefined, 'invalid_value'])
    expect(await asked(narrow.secret, 'network/other')).toEqual([404, undefined, 'model_not_found'])
    // The agreement was given for this key once; it holds when the level goes back and forth.
    stage.gateway.changeKey({ id: narrow.id, ...terms, level: 'computer', consent: false })
    expect(await asked(narrow.secret, 'network/paid')).toEqual([403, undefined, 'level_not_allowed'])
    stage.gateway.changeKey({ id: narrow.id, ...terms, models: ['local/paid'], level: 'practice', consent: false })
    expect(await asked(narrow.secret, 'network/paid')).toEqual([403, undefined, 'model_not_allowed'])
    const listed = (await stage.send('GET', '/v1/models', { key: narrow.secret })).json() as { data: { id: string }[] }
    expect(listed.data.map(({ id }) => id)).toEqual(['local/paid'])
  })
})

describe('a key that is changed while a body comes', () => {
  const terms = { name: 'x', models: null, origins: ['http://localhost:3000'], dailyLimit: 100n }
  /** What is answered when the change happens between the first and the second half of the body. */
  async function between(change: (gateway: Stage['gateway'], id: string) => void) {
    const place = paidPlace(60n)
    const local = localPlace()
    const stage = await stageOver([local, place.backend])
    const { id, secret } = stage.gateway.createKey({ ...terms, level: 'practice', consent: true })
    const body = JSON.stringify(question)
    const reply = new Promise<unknown>((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port: stage.port,
        method: 'POST',
        path: '/v1/chat/completions',
        headers: {
          Authorization: `Bearer ${secret}`,
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          Origin: 'http://localhost:3000',
        },
      })
      request.once('error', reject)
      request.once('response', (response) => {
        let text = ''
        response.on('data', (part: Buffer) => {
          text += part.toString()
        })
        response.once('end', () => resolve([response.statusCode, (JSON.parse(text) as { error?: { code: string } }).error?.code]))
      })
      request.write(body.slice(0, 10))
      void expect
        .poll(() => stage.gateway.view().running)
        .toBe(1)
        .then(() => {
          change(stage.gateway, id)
          request.end(body.slice(10))
        }, reject)
    })
    return { reply: await reply, asked: place.asked.length }
  }

  it.each([
    ['narrowed', { ...terms, level: 'computer' as const }, 403, 'level_not_allowed'],
    ['given fewer models', { ...terms, models: ['local/paid'], level: 'practice' as const }, 403, 'model_not_allowed'],
    ['given less money', { ...terms, dailyLimit: 59n, level: 'practice' as const }, 429, 'daily_limit_reached'],
    ['given fewer pages', { ...terms, origins: [], level: 'practice' as const }, 403, 'origin_not_allowed'],
  ])('counts as it is then: %s', async (_name, changed, status, code) => {
    const { reply, asked } = await between((gateway, id) => gateway.changeKey({ id, ...changed, consent: false }))
    expect([reply, asked]).toEqual([[status, code], 0])
  })

  it('counts as it is then: revoked', async () => {
    const { reply, asked } = await between((gateway, id) => gateway.revokeKey({ id }))
    expect([reply, asked]).toEqual([[401, 'invalid_api_key'], 0])
  })
})
