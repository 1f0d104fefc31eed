import { describe, expect, it } from 'vitest'
import { type EngineCapabilities, noCapabilities } from '../inference/capabilities.ts'
import type { GatewayBackend } from './backend.ts'
import { localBackend } from './local-backend.ts'
import { choices, question, stageOver } from './testing/gateway-scene.ts'
import { allCapabilities, documentAnswer, type Stage, usualTerms } from './testing/gateway-stage.ts'

describe('an engine that is loading another model', () => {
  it('is no offer: requests may be repeated, and are told why', async () => {
    const can = { value: noCapabilities }
    const handle = async (): Promise<never> => {
      throw new Error('Nobody is to ask.')
    }
    const local = localBackend({
      current: () => ({ backend: { model: 'm', healthy: () => true, handle }, capabilities: can.value }),
      trouble: () => 'The model m is being loaded.',
      permission: async () => undefined,
    })
    const stage = await stageOver([local])
    const key = stage.key()
    const reply = await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, model: 'local/m' } })
    expect([reply.status, reply.headers['x-should-retry']]).toEqual([503, 'true'])
    expect(reply.json()).toMatchObject({ error: { code: 'not_ready', message: 'The model m is being loaded.' } })
    expect((await stage.send('GET', '/health')).json()).toMatchObject({ backends: { local: 'not ready' } })
    can.value = { ...noCapabilities, chat: true }
    expect((await stage.send('GET', '/health')).json()).toMatchObject({ backends: { local: 'ready' } })
  })
})

describe('an engine that gave its model up', () => {
  it.each([
    ['that is tried again', 42, 'true', '42'],
    ['that is not', null, 'false', undefined],
  ] as const)('is not ready, and says when trying again can help: a model %s', async (_name, afterS, should, after) => {
    const others = {
      offers: () => [{ model: 'other', capabilities: null, isLoaded: false }],
      troubleOf: (model: string) => (model === 'm' ? 'The engine stopped.' : undefined),
      bring: async () => undefined,
      answering: () => undefined,
    }
    const local = localBackend({
      current: () => undefined,
      trouble: () => 'Not asked: there is another model.',
      retryAfterS: () => afterS,
      permission: async () => undefined,
      others,
    })
    const stage = await stageOver([local])
    const reply = await stage.send('POST', '/v1/chat/completions', { key: stage.key(), body: { ...question, model: 'local/m' } })
    expect(reply.json()).toMatchObject({ error: { code: 'not_ready', message: 'The engine stopped.' } })
    expect([reply.status, reply.headers['x-should-retry'], reply.headers['retry-after']]).toEqual([503, should, after])
    expect((await stage.send('GET', '/health')).json()).toMatchObject({ backends: { local: 'not ready' } })
  })
})

describe('a model that its first request loads', () => {
  async function loading(bring: (stage: Stage) => void) {
    let can: EngineCapabilities | null = null
    const asked: unknown[] = []
    const backend: GatewayBackend = {
      ...{ level: 'computer', prefix: 'local', needsConsent: false },
      offers: () => [{ model: 'm', capabilities: can, isLoaded: can !== null }],
      trouble: () => 'Nobody answers.',
      bring: async () => {
        can = { ...allCapabilities, tools: false }
        bring(stage)
      },
      prepare: ({ body }) => {
        asked.push(body)
        return { worstCaseNano: 0n, run: () => documentAnswer({ choices, usage: {} }, 0n) }
      },
    }
    const stage = await stageOver([backend])
    const key = stage.key()
    const send = (more: object = {}) =>
      stage.send('POST', '/v1/chat/completions', { key, body: { ...question, model: 'local/m', ...more } })
    return { stage, key, send, asked, forget: () => (can = null) }
  }

  it('is judged by what it can do then, and listed as unknown before', async () => {
    const { stage, key, send, asked } = await loading(() => undefined)
    const listed = async () => (await stage.send('GET', '/v1/models', { key })).json()
    expect(await listed()).toMatchObject({ data: [{ id: 'local/m', loaded: false, capabilities: null, context_length: null }] })
    const refused = await send({ tools: [{ type: 'function', function: { name: 'f' } }] })
    expect([refused.status, refused.json()]).toMatchObject([400, { error: { param: 'tools', code: 'unsupported_parameter' } }])
    expect(asked).toEqual([])
    expect(await listed()).toMatchObject({ data: [{ loaded: true, capabilities: { tools: false }, context_length: 2048 }] })
    expect((await send()).status).toBe(200)
    expect(asked.length).toBe(1)
  })

  it('is not asked with a key that the user limited or revoked while it was loaded', async () => {
    const limited = await loading(({ gateway }) => {
      const { id = '' } = gateway.view().keys[0] ?? {}
      gateway.changeKey({ ...usualTerms, models: ['local/other'], id, consent: false })
    })
    expect((await limited.send()).json()).toMatchObject({ error: { code: 'model_not_allowed' } })
    const revoked = await loading(({ gateway }) => gateway.revokeKey({ id: gateway.view().keys[0]?.id ?? '' }))
    expect((await revoked.send()).status).toBe(401)
    expect([...limited.asked, ...revoked.asked]).toEqual([])
  })

  it('may have gone again at once: the request may be repeated', async () => {
    const scene = await loading(() => scene.forget())
    const reply = await scene.send()
    expect([reply.status, reply.headers['x-should-retry']]).toEqual([503, 'true'])
    expect(scene.asked).toEqual([])
  })
})
