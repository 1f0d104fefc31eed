import { request as httpRequest } from 'node:http'
import { describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { choices, endless, question, stageOf, usage } from './testing/gateway-scene.ts'
import { documentAnswer, paidPlace } from './testing/gateway-stage.ts'

describe('money', () => {
  it('is reserved before anything is sent, and a limit that is reached sends nothing', async () => {
    const place = paidPlace(60n)
    const held: Array<() => void> = []
    place.answer = () => {
      const gate = new Promise<void>((resolve) => held.push(resolve))
      return {
        ...documentAnswer({ choices, usage }, 20n),
        head: gate.then(() => ({ status: 200, contentType: 'application/json' })),
        end: gate.then(() => ({ costNano: 20n })),
      }
    }
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const first = stage.send('POST', '/v1/chat/completions', { key, body: question })
    await expect.poll(() => held.length).toBe(1)
    expect(stage.gateway.view().keys[0]?.today).toMatchObject({ reserved: 60n, spent: 0n })
    const refused = await stage.send('POST', '/v1/chat/completions', { key, body: question })
    expect([refused.status, refused.headers['x-should-retry']]).toEqual([429, 'false'])
    expect(refused.json()).toMatchObject({ error: { type: 'insufficient_quota', code: 'daily_limit_reached' } })
    expect(place.asked.length).toBe(1)
    held[0]?.()
    const { headers } = await first
    expect([headers['x-cocoon-cost-nano'], headers['x-cocoon-level']]).toEqual(['20', 'practice'])
    expect(stage.gateway.view().keys[0]?.today).toMatchObject({ reserved: 0n, spent: 20n, promptTokens: 3, completionTokens: 4 })
  })

  it('nothing is spent where nothing was asked for: limit 0, wrong fields, a place that fails before it sends', async () => {
    const place = paidPlace(60n)
    const stage = await stageOf(place)
    const poor = stage.key({ level: 'practice', dailyLimit: 0n })
    expect((await stage.send('POST', '/v1/chat/completions', { key: poor, body: question })).status).toBe(429)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, audio: {} } })).status).toBe(400)
    expect(place.asked).toEqual([])
    place.answer = () => {
      throw new Failure('no-connection', 'No proxy is connected.')
    }
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: question })).status).toBe(503)
    expect(stage.gateway.view().keys.map(({ today }) => [today.spent, today.unsure, today.reserved])).toEqual([
      [0n, 0n, 0n],
      [0n, 0n, 0n],
    ])
  })

  it('an answer whose cost nobody told counts with the most that it may have cost', async () => {
    const place = paidPlace(60n)
    place.answer = () => ({
      ...documentAnswer({}, undefined),
      head: Promise.reject(
        new Failure('connection-lost', 'The connection to the proxy was lost.', { money: 'It may be charged.' }),
      ),
    })
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const reply = await stage.send('POST', '/v1/chat/completions', { key, body: question })
    expect(reply.status).toBe(502)
    expect(reply.json()).toMatchObject({
      error: { message: expect.stringContaining('It may be charged.'), code: 'connection_lost' },
    })
    expect(stage.gateway.view().keys[0]?.today).toMatchObject({ spent: 0n, unsure: 60n, reserved: 0n })
  })

  it('a caller that leaves stops the answer, and what it cost until then is counted', async () => {
    const place = paidPlace(60n)
    let stopped = 0
    place.answer = endless(7n, () => stopped++)
    const stage = await stageOf(place)
    const key = stage.key({ level: 'practice', dailyLimit: 100n })
    const request = httpRequest({
      host: '127.0.0.1',
      port: stage.port,
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    })
    request.once('response', (response) => response.once('data', () => request.destroy()))
    request.once('error', () => undefined)
    request.end(JSON.stringify({ ...question, stream: true }))
    await expect.poll(() => stopped).toBe(1)
    await expect.poll(() => stage.gateway.view().running).toBe(0)
    const { keys, recent } = stage.gateway.view()
    expect(keys[0]?.today).toMatchObject({ spent: 7n, reserved: 0n, promptTokens: 5, completionTokens: 6 })
    expect(recent).toMatchObject([{ status: 499, cost: 7n, model: 'network/paid', level: 'practice' }])
  })
})
