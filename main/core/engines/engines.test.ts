import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import { createLogger, silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import { Privacy } from '../../chat/privacy/privacy.ts'
import { SealKeeper } from '../../chat/privacy/seal-keeper.ts'
import { ControlledBackend } from '../../chat/testing/controlled-backend.ts'
import { goodFindings } from '../../chat/testing/controlled-checker.ts'
import { openChat, Reader, settled, temporaryFolder, testKey } from '../../chat/testing/open-chat.ts'
import { engineBackend, eventsOf, openStage, paidPlace, tinyEngine } from '../../gateway/testing/gateway-stage.ts'
import { askExternal } from '../../inference/external-answer.ts'
import type { LocalEngine } from '../../inference/local-engine.ts'
import { createEngineBackend } from '../../inference/openai.ts'
import { openSecretStore } from '../../wallet/secret-store.ts'
import { externalChecker } from '../checks/external-checker.ts'
import { Engines } from './engines.ts'
import { externalChat } from './external-chat.ts'
import { externalGateway } from './external-gateway.ts'
import { type EngineServer, engineServer } from './testing/engine-server.ts'

const model = 'org/tiny:1b'
const id = `external/mine/${model}`
let engine: LocalEngine
let server: EngineServer

beforeAll(async () => {
  engine = await tinyEngine()
  server = await engineServer(createEngineBackend({ engine, model }))
})
afterAll(async () => {
  await server.close()
  await engine.dispose()
})
beforeEach(() => {
  server.misbehave = undefined
  server.list = undefined
  server.asked.length = 0
  server.broken = 0
})

/** A busy machine takes its time. */
const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 60_000, interval: 20 })

const openEngines = (folder = temporaryFolder(), logger = silentLogger, ownPort?: () => number | undefined): Engines => {
  const secrets = openSecretStore(join(folder, 'secrets.json'), testKey)
  const engines = new Engines({ secrets, logger, lookEveryMs: 50, ...(ownPort && { ownPort }) })
  engines.start()
  onTestFinished(() => engines.stop())
  return engines
}

/** With the one engine, its model chosen for chats. */
async function withEngine(engines = openEngines()): Promise<{ engines: Engines; id: string }> {
  const { id } = engines.add({ name: 'mine', url: `${server.url}/v1/` })
  await soon(() => expect(engines.view().engines[0]?.models).toEqual([model]))
  engines.choose({ id, model })
  return { engines, id }
}

function openLevel(engines: Engines) {
  const backend = externalChat(engines)
  const computer = new ControlledBackend()
  const keeper = new SealKeeper({ checker: externalChecker(engines) })
  const here = new SealKeeper({
    checker: { level: 'computer', connection: new Signal('here'), check: async () => goodFindings('computer') },
  })
  const privacy = new Privacy({ keepers: [keeper, here] })
  onTestFinished(() => privacy.close())
  const { chat } = openChat([backend, computer], undefined, testKey, privacy)
  const level: PrivacyLevel = 'external'
  const { id } = chat.create({ level })
  return { backend, computer, keeper, chat, id, reader: new Reader(chat, id) }
}

describe('this app as its own engine', () => {
  /** An install with a local model, engines of other programs, a paid network, and its local API. */
  async function install() {
    const engines: Engines = openEngines(temporaryFolder(), silentLogger, () => stage.gateway.port)
    const paid = paidPlace(5n)
    const stage = await openStage([engineBackend(engine), paid.backend, externalGateway(engines)])
    onTestFinished(() => stage.close())
    const key = stage.key({ level: 'external', dailyLimit: 100n })
    const names = async (): Promise<string[]> =>
      ((await stage.send('GET', '/v1/models', { key })).json() as { data: { id: string }[] }).data.map(({ id }) => id)
    return { engines, stage, key, paid, names, url: `http://127.0.0.1:${stage.port}/v1` }
  }

  it('is refused under every name of its address', async () => {
    const { engines, stage, key, names } = await install()
    for (const host of ['127.0.0.1', 'localhost', '127.1', '0x7f000001', 'LOCALHOST'])
      expect(() => engines.add({ name: 'loop', url: `http://${host}:${stage.port}/v1`, key })).toThrow(
        expect.objectContaining({ code: 'engine-own-address', words: expect.objectContaining({ values: expect.anything() }) }),
      )
    expect(await names()).toEqual(['local/tiny-random', 'network/paid'])
    // The same port of another address is another program's.
    expect(engines.add({ name: 'other', url: `http://127.0.0.2:${stage.port}` }).id).toBeTruthy()
  })

  it('is asked nothing more once the local API was moved to the address of an engine', async () => {
    const { engines, stage, key, names, url } = await install()
    const { port } = stage
    await stage.gateway.apply({ enabled: false, port })
    engines.add({ name: 'loop', url, key })
    await soon(() => expect(engines.view().engines[0]?.status).toBe('failed'))
    await stage.gateway.apply({ enabled: true, port })
    await soon(() => expect(engines.view().engines[0]?.problemWords?.code).toBe('engine-own-address'))
    expect(await names()).toEqual(['local/tiny-random', 'network/paid'])
  })

  it('through another install is no growing list: of that only its own computer is taken, and nothing that is paid', async () => {
    const [one, two] = [await install(), await install()]
    one.engines.add({ name: 'two', url: two.url, key: two.key })
    two.engines.add({ name: 'one', url: one.url, key: one.key })
    for (const [{ names }, other] of [
      [one, 'two'],
      [two, 'one'],
    ] as const)
      await vi.waitFor(async () => expect(await names()).toContain(`external/${other}/local/tiny-random`), { timeout: 60_000 })
    // Many looks later.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await one.names()).toEqual(['local/tiny-random', 'network/paid', 'external/two/local/tiny-random'])
    expect(await two.names()).toEqual(['local/tiny-random', 'network/paid', 'external/one/local/tiny-random'])
    const ask = (name: string) =>
      one.stage.send('POST', '/v1/chat/completions', {
        key: one.key,
        body: { model: name, messages: [{ role: 'user', content: 'hi' }], max_tokens: 3 },
      })
    expect((await ask('external/two/local/tiny-random')).json()).toMatchObject({ usage: { completion_tokens: 3 } })
    expect((await ask('external/two/network/paid')).status).toBe(404)
    expect(two.paid.asked).toEqual([])
  })
})

describe('the list of engines', () => {
  it('asks first where messages would leave this computer, and sends nothing there', () => {
    const engines = openEngines()
    for (const url of [
      'http://192.168.1.5:8000',
      'https://api.example.com/v1',
      'http://localhost.example.com',
      'http://0.0.0.0:1',
    ])
      expect(() => engines.add({ name: 'away', url })).toThrow(expect.objectContaining({ code: 'needs-consent' }))
    expect(engines.view().engines).toEqual([])
    engines.add({ name: 'away', url: 'https://192.0.2.1:9', understood: true })
    expect(engines.view().engines[0]).toMatchObject({ isLoopback: false, isEncrypted: true, host: '192.0.2.1:9' })
    const away = { id: engines.view().engines[0]?.id ?? '', model, atOnce: 1 }
    expect(() => engines.choose(away)).toThrow(expect.objectContaining({ code: 'needs-consent' }))
    expect(() => engines.serve(away)).toThrow(expect.objectContaining({ code: 'needs-consent' }))
    expect(() => engines.serve({ ...away, understood: true })).toThrow(expect.objectContaining({ code: 'not-found' }))
    expect(engines.view()).toMatchObject({ chosen: null, serving: null })
    for (const [at, url] of ['http://localhost:1', 'http://[::1]:1', 'http://127.1:1', 'http://0x7f000001:1'].entries())
      expect(engines.add({ name: `here-${at}`, url }).id).toBeTruthy()
    for (const url of ['file:///etc/passwd', 'http://name:pass@127.0.0.1', 'http://127.0.0.1/?a=b', 'mine', 'http://'])
      expect(() => engines.add({ name: 'bad', url })).toThrow(expect.objectContaining({ code: 'bad-url' }))
  })

  it('keeps the key in the secret store alone, sends it to the engine, and finds both again after a restart', async () => {
    const folder = temporaryFolder()
    const lines: string[] = []
    const logger = createLogger((line) => lines.push(line), 'debug')
    const engines = openEngines(folder, logger)
    const key = 'sk-of-the-engine-1234'
    const { id } = engines.add({ name: 'mine', url: server.url, key })
    await soon(() => expect(engines.view().engines[0]).toMatchObject({ status: 'ready', hasKey: true }))
    expect(server.asked.at(-1)).toMatchObject({ path: '/v1/models', authorization: `Bearer ${key}` })
    engines.choose({ id, model })
    await engines.stop()
    expect(JSON.stringify(engines.view())).not.toContain(key)
    const kept = readFileSync(join(folder, 'secrets.json'), 'utf8')
    for (const secret of [key, server.url]) expect(kept).not.toContain(secret)
    expect(lines.join('\n')).not.toContain(key)
    server.asked.length = 0
    const later = openEngines(folder)
    await soon(() => expect(later.view()).toMatchObject({ chosen: { id, model }, engines: [{ status: 'ready' }] }))
    expect(server.asked[0]?.authorization).toBe(`Bearer ${key}`)
    await later.remove(id)
    expect(later.view()).toEqual({ engines: [], chosen: null, serving: null })
    const left = openSecretStore(join(folder, 'secrets.json'), testKey).get('engines')
    expect(JSON.parse(Buffer.from(left ?? []).toString())).toEqual({ version: 1, engines: [], chosen: null, serving: null })
  })

  it('refuses an address that could not be kept, and does not write over what it could not read', async () => {
    const folder = temporaryFolder()
    const engines = openEngines(folder)
    engines.add({ name: 'mine', url: server.url, key: 'sk-of-the-engine-1234' })
    // Escaped it is three times as long.
    const long = `${server.url}/${'ä'.repeat(100)}`
    expect(() => engines.add({ name: 'long', url: long })).toThrow(expect.objectContaining({ code: 'bad-url' }))
    await engines.stop()
    const later = openEngines(folder)
    expect(later.view().engines).toMatchObject([{ name: 'mine', hasKey: true }])
    await later.stop()
    const secrets = openSecretStore(join(folder, 'secrets.json'), testKey)
    const newer = new TextEncoder().encode('{"version":2,"engines":["with their keys"]}')
    secrets.put('engines', newer)
    const older = openEngines(folder)
    expect(() => older.add({ name: 'other', url: server.url })).toThrow(expect.objectContaining({ code: 'engines-unreadable' }))
    expect(older.view().engines).toEqual([])
    expect(openSecretStore(join(folder, 'secrets.json'), testKey).get('engines')).toEqual(newer)
  })

  it('says what is wrong with an engine whose list it cannot read', async () => {
    const { engines, id } = await withEngine()
    const says = async (list: EngineServer['list']): Promise<string | undefined> => {
      server.list = list
      await engines.test(id)
      const [shown] = engines.view().engines
      expect(shown).toMatchObject({ status: 'failed', models: [] })
      return shown?.problemWords?.code
    }
    const json = { 'Content-Type': 'application/json' }
    expect(await says((_, response) => response.writeHead(401).end())).toBe('engine-key-refused')
    expect(await says((_, response) => response.writeHead(503).end())).toBe('engine-unhealthy')
    expect(await says((_, response) => response.writeHead(200, json).end('<html>'))).toBe('engine-answer-bad')
    expect(await says((_, response) => response.writeHead(200, json).end('{"data":"models"}'))).toBe('engine-answer-bad')
    expect(await says((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('{"data":[]}'))).toBe(
      'engine-answer-bad',
    )
    const endless = Buffer.alloc(1 << 20, 0x20)
    expect(
      await says((_, response) => {
        response.writeHead(200, json)
        const more = (): void => {
          while (!response.destroyed && response.write(endless));
          response.once('drain', more)
        }
        more()
      }),
    ).toBe('engine-answer-bad')
    expect(await says((_, response) => response.destroy())).toBe('engine-unreachable')
    const odd = { data: [{ id: 7 }, { id: 'a\u202Eb' }, { id: 'x'.repeat(301) }, { id: model }, { id: model }] }
    server.list = (_, response) => response.writeHead(200, json).end(JSON.stringify(odd))
    await engines.test(id)
    expect(engines.view().engines[0]).toMatchObject({ status: 'ready', models: [model] })
  })
})

describe('the level Another program', () => {
  it('is answered by the chosen model, its seal says what it does not know', async () => {
    const { engines } = await withEngine()
    const { backend, chat, id, keeper, reader } = openLevel(engines)
    expect(backend.state.value).toMatchObject({ state: 'ready', model, engine: { name: 'mine', isLoopback: true } })
    await chat.send({ id, text: 'Good morning?' })
    const turn = await settled(reader)
    expect(turn).toMatchObject({ status: 'done', level: 'external', model })
    expect(turn.answer).not.toBe('')
    expect(turn.usage?.promptTokens).toBeGreaterThan(10)
    const asked = server.asked.filter(({ path }) => path === '/v1/chat/completions')
    expect(asked).toHaveLength(1)
    expect(JSON.parse(asked[0]?.body ?? '')).toMatchObject({
      model,
      stream: true,
      messages: [{ role: 'system' }, { content: 'Good morning?' }],
    })
    const state = keeper.state.value
    const rows = state.phase === 'earned' ? state.report.rows.map((row) => [row.id, row.result]) : []
    expect(rows).toEqual([
      ['engine-address', 'passed'],
      ['channel', 'passed'],
      ['engine-program', 'not-checked'],
    ])
  })

  it('holds what looks like a secret, and asks what goes along with a chat that comes from this computer', async () => {
    const { engines } = await withEngine()
    const { chat, computer, id } = openLevel(engines)
    await expect(chat.send({ id, text: `0x${'ab'.repeat(32)}` })).rejects.toMatchObject({ code: 'looks-secret' })
    const own = chat.create({ level: 'computer' })
    const here = new Reader(chat, own.id)
    await chat.send({ id: own.id, text: 'Between us' })
    computer.finish()
    await settled(here)
    expect(() => chat.setLevel({ id: own.id, level: 'external' })).toThrow(expect.objectContaining({ code: 'needs-choice' }))
    expect(server.asked.some(({ path }) => path !== '/v1/models')).toBe(false)
  })

  it('asks what goes along once another engine is chosen, and takes nothing there unasked', async () => {
    const { engines } = await withEngine()
    const { chat, id, reader } = openLevel(engines)
    await chat.send({ id, text: 'Only for this one' })
    expect(await settled(reader)).toMatchObject({ status: 'done', engine: new URL(server.url).host })
    const other = await engineServer(createEngineBackend({ engine, model }))
    onTestFinished(() => other.close())
    const second = engines.add({ name: 'other', url: other.url })
    await soon(() => expect(engines.view().engines[1]?.models).toEqual([model]))
    engines.choose({ id: second.id, model })
    const needsChoice = expect.objectContaining({ code: 'needs-choice' })
    const turnId = reader.turns[0]?.id ?? ''
    await expect(chat.send({ id, text: 'And now?' })).rejects.toEqual(needsChoice)
    await expect(chat.retry({ id, turnId })).rejects.toEqual(needsChoice)
    expect(() => chat.setLevel({ id, level: 'external' })).toThrow(needsChoice)
    expect(other.asked.some(({ path }) => path !== '/v1/models')).toBe(false)
    expect(chat.setLevel({ id, level: 'external', along: 'new-chat' }).id).not.toBe(id)
    expect(chat.setLevel({ id, level: 'external', along: 'send-along' }).id).toBe(id)
    for (const text of ['And now?', 'And again?']) {
      await chat.send({ id, text })
      expect(await settled(reader)).toMatchObject({ status: 'done', engine: new URL(other.url).host })
    }
    engines.choose({ id: engines.view().engines[0]?.id ?? '', model })
    await expect(chat.send({ id, text: 'Back' })).rejects.toEqual(needsChoice)
  })

  it('stops by closing the connection, and loses its seal with the engine', async () => {
    const { engines } = await withEngine()
    const { backend, chat, id, keeper, reader } = openLevel(engines)
    server.misbehave = (_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('data: {"choices":[{"delta":{"content":"One "},"finish_reason":null}]}\n\n')
    }
    const { id: turnId } = await chat.send({ id, text: 'Count.' })
    await soon(() => expect(reader.turns.at(-1)?.answer).toBe('One '))
    await chat.stop({ id, turnId })
    const stopped = await settled(reader)
    expect(stopped).toMatchObject({ status: 'stopped', answer: 'One ' })
    // How many tokens those were, nobody told.
    expect(stopped).not.toHaveProperty('usage')
    await soon(() => expect(server.broken).toBe(1))
    const before = keeper.state.value
    expect(before.phase).toBe('earned')
    server.list = (_, response) => response.writeHead(503).end()
    await soon(() => expect(backend.state.value).toMatchObject({ state: 'unavailable' }))
    expect(keeper.state.value.phase).toBe('idle')
    await expect(chat.send({ id, text: 'Again?' })).rejects.toMatchObject({ code: 'not-ready' })
  })

  it('refuses hostile answers by name', async () => {
    const { engines } = await withEngine()
    const { chat, id, reader } = openLevel(engines)
    const events = { 'Content-Type': 'text/event-stream' }
    const code = async (misbehave: EngineServer['misbehave']): Promise<string | undefined> => {
      server.misbehave = misbehave
      await chat.send({ id, text: 'Hello?' })
      const turn = await settled(reader)
      expect(turn).toMatchObject({ status: 'failed', error: { money: 'You paid nothing.' } })
      return turn.error?.code
    }
    expect(await code((_, response) => response.writeHead(302, { Location: 'http://192.0.2.1/' }).end())).toBe(
      'engine-answer-bad',
    )
    expect(await code((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>'))).toBe(
      'engine-answer-bad',
    )
    expect(await code((_, response) => response.writeHead(200, events).end('data: {"choices":\n\n'))).toBe('answer-malformed')
    expect(
      await code((_, response) => response.writeHead(200, events).end('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')),
    ).toBe('answer-cut-off')
    const long = `data: ${JSON.stringify({ choices: [{ delta: { reasoning_content: 'x'.repeat(60_000) } }] })}\n\n`
    expect(
      await code((_, response) => {
        response.writeHead(200, events)
        const more = (): void => {
          while (!response.destroyed && response.write(long));
          response.once('drain', more)
        }
        more()
      }),
    ).toBe('answer-too-large')
    expect(await code((_, response) => response.writeHead(500).end('no'))).toBe('engine-refused')
    const tooLong = { error: { code: 400, type: 'exceed_context_size_error', message: 'too long' } }
    server.misbehave = (_, response) =>
      response.writeHead(400, { 'Content-Type': 'application/json' }).end(JSON.stringify(tooLong))
    expect(await code(server.misbehave)).toBe('context-too-small')
  })
})

describe('an engine that falls silent', () => {
  it('is given up, before its answer and within it', async () => {
    const { engines } = await withEngine()
    const [live] = engines.list()
    if (live === undefined) throw new Error('There is no engine.')
    const question = { path: '/v1/chat/completions', body: '{}', stream: true, mostBytes: 1_000, mostSilenceMs: 100 }
    server.misbehave = () => undefined
    await expect(askExternal(live.server, question, new AbortController().signal)).rejects.toMatchObject({
      code: 'engine-silent',
    })
    server.misbehave = (_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('data: {}\n\n')
    }
    const { body } = await askExternal(live.server, { ...question, mostSilenceMs: 2_000 }, new AbortController().signal)
    const whole = async (): Promise<void> => {
      for await (const part of body) expect(part.length).toBeGreaterThan(0)
    }
    await expect(whole()).rejects.toMatchObject({ code: 'engine-silent' })
    await soon(() => expect(server.broken).toBe(2))
  })
})

describe('an engine that keeps its connection open behind the end of its answer', () => {
  const whole =
    'data: {"choices":[{"index":0,"delta":{"content":"data: [DONE] is no end"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
  const question = { path: '/v1/chat/completions', body: '{}', stream: true, mostBytes: 1_000 }
  it.each<[string, (response: ServerResponse) => void]>([
    ['says nothing more', () => undefined],
    [
      'goes on',
      (response) => {
        const timer = setInterval(() => response.write(': still here\n\n'), 50)
        response.once('close', () => clearInterval(timer))
      },
    ],
    ['breaks off', (response) => void setTimeout(() => response.destroy(), 50)],
  ])('has ended for who asked, when it %s', async (_, after) => {
    const { engines } = await withEngine()
    const [live] = engines.list()
    if (live === undefined) throw new Error('There is no engine.')
    server.misbehave = (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      // In two parts, of which the first ends within what only looks like the end.
      response.write(whole.slice(0, 60))
      setTimeout(() => {
        response.write(whole.slice(60))
        after(response)
      }, 20)
    }
    const { signal } = new AbortController()
    const asked = { method: 'POST', path: question.path, headers: [], body: Buffer.from(question.body) }
    // As chats and the local API ask, and as the worker does.
    for (const { body } of [await askExternal(live.server, question, signal), await live.server.handle(asked, signal)]) {
      const parts: Uint8Array[] = []
      for await (const part of body) parts.push(part)
      expect(Buffer.concat(parts).toString()).toBe(whole)
    }
  })
})

describe('external engines over the local API', () => {
  const ask = { model: id, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 8, seed: 1 }

  async function openApi() {
    const { engines } = await withEngine()
    const stage = await openStage([engineBackend(engine), externalGateway(engines)])
    onTestFinished(() => stage.close())
    return { engines, stage, key: stage.key({ level: 'external' }) }
  }

  it('lists them with what they can do, answers, and counts', async () => {
    const { stage, key } = await openApi()
    const models = (await stage.send('GET', '/v1/models', { key })).json() as { data: { id: string }[] }
    expect(models.data.map((one) => one.id)).toEqual(['local/tiny-random', id])
    expect(models.data[1]).toMatchObject({
      level: 'external',
      capabilities: { chat_completions: true, images: true, logit_bias: false },
    })
    const reply = await stage.send('POST', '/v1/chat/completions', { key, body: ask })
    expect(reply.headers['x-cocoon-level']).toBe('external')
    expect(reply.json()).toMatchObject({ model: id, choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 8 } })
    const streamed = await stage.send('POST', '/v1/chat/completions', { key, body: { ...ask, stream: true, user: 'me' } })
    const events = eventsOf(streamed.text)
    expect(events.at(-1)).toBe('[DONE]')
    expect(JSON.stringify(events)).not.toContain('"usage":{')
    const sent = JSON.parse(server.asked.findLast(({ path }) => path === '/v1/chat/completions')?.body ?? '')
    expect(sent).toMatchObject({ model, stream_options: { include_usage: true } })
    expect(sent).not.toHaveProperty('user')
    expect(stage.gateway.view().keys[0]?.today).toMatchObject({ requests: 2, completionTokens: 16, spent: 0n })
  })

  it('lets nothing go there without an agreement to this very level', async () => {
    const { stage } = await openApi()
    const narrow = stage.key({ level: 'computer' })
    const refused = await stage.send('POST', '/v1/chat/completions', { key: narrow, body: ask })
    expect(refused).toMatchObject({ status: 403 })
    expect(refused.json()).toMatchObject({ error: { code: 'level_not_allowed' } })
    expect((await stage.send('GET', '/v1/models', { key: narrow })).text).not.toContain(id)
    const terms = { name: 'Test', models: null, origins: [], dailyLimit: 0n }
    expect(() => stage.gateway.createKey({ ...terms, level: 'external', consent: false })).toThrow(
      expect.objectContaining({ code: 'api-consent-missing' }),
    )
  })

  it('asks anew when a key that may use a network is widened to other programs', async () => {
    const { engines } = await withEngine()
    const stage = await openStage([engineBackend(engine), paidPlace(1n).backend, externalGateway(engines)])
    onTestFinished(() => stage.close())
    const terms = { name: 'Test', models: null, origins: [], dailyLimit: 0n }
    const { id: keyId, secret } = stage.gateway.createKey({ ...terms, level: 'practice', consent: true })
    const widen = (consent: boolean): void => stage.gateway.changeKey({ ...terms, id: keyId, level: 'external', consent })
    expect(() => widen(false)).toThrow(expect.objectContaining({ code: 'api-consent-missing' }))
    const asked = () => stage.send('POST', '/v1/chat/completions', { key: secret, body: ask })
    expect((await asked()).status).toBe(403)
    widen(true)
    expect((await asked()).status).toBe(200)
    expect(stage.gateway.view().keys[0]?.consentedLevel).toBe('external')
    stage.gateway.changeKey({ ...terms, id: keyId, level: 'practice', consent: false })
    expect((await asked()).status).toBe(403)
  })

  it('are reached over the practice network too only by keys that may ask other programs, while its worker serves with one', async () => {
    const { engines } = await withEngine()
    const paid = paidPlace(1n)
    let also: 'external' | undefined = 'external'
    const stage = await openStage([{ ...paid.backend, readAlsoAt: () => also }, externalGateway(engines)])
    onTestFinished(() => stage.close())
    const terms = { name: 'Test', models: null, origins: [], dailyLimit: 1_000n, consent: true }
    const narrow = stage.gateway.createKey({ ...terms, level: 'practice' }).secret
    const wide = stage.gateway.createKey({ ...terms, level: 'external' }).secret
    const asked = (key: string) => stage.send('POST', '/v1/chat/completions', { key, body: { ...ask, model: 'network/paid' } })
    const refused = await asked(narrow)
    expect([refused.status, refused.json()]).toEqual([403, { error: expect.objectContaining({ code: 'level_not_allowed' }) }])
    expect((await stage.send('GET', '/v1/models', { key: narrow })).json()).toMatchObject({ data: [] })
    expect((await asked(wide)).status).toBe(200)
    also = undefined
    expect((await asked(narrow)).status).toBe(200)
    expect(paid.asked).toHaveLength(2)
  })

  it('takes pictures that stand in the request, and fetches none', async () => {
    const { stage, key } = await openApi()
    server.misbehave = (_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' })
      response.end(
        JSON.stringify({ object: 'chat.completion', choices: [{ message: { content: 'A cat.' }, finish_reason: 'stop' }] }),
      )
    }
    const withPicture = (url: string): object => ({
      ...ask,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'image_url', image_url: { url } },
          ],
        },
      ],
    })
    const picture = 'data:image/png;base64,iVBORw0KGgo='
    expect((await stage.send('POST', '/v1/chat/completions', { key, body: withPicture(picture) })).status).toBe(200)
    // The app looks at the engine's models now and then.
    expect(server.asked.findLast(({ path }) => path !== '/v1/models')?.body).toContain(picture)
    const asked = server.asked.length
    for (const url of ['http://169.254.169.254/', 'file:///etc/passwd', 'data:text/html,x']) {
      const reply = await stage.send('POST', '/v1/chat/completions', { key, body: withPicture(url) })
      expect(reply.status).toBe(400)
      expect(reply.json()).toMatchObject({ error: { param: 'messages[0].content[1].image_url' } })
    }
    const bias = await stage.send('POST', '/v1/chat/completions', { key, body: { ...ask, logit_bias: { 5: 1 } } })
    expect(bias.json()).toMatchObject({ error: { param: 'logit_bias', code: 'unsupported_parameter' } })
    expect(server.asked.slice(asked).every(({ path }) => path === '/v1/models')).toBe(true)
  })

  it('tells hostile answers as errors of their own, and the engine’s refusals as they are', async () => {
    const { engines, stage, key } = await openApi()
    const reply = async (misbehave: EngineServer['misbehave'], body: object = ask) => {
      server.misbehave = misbehave
      return stage.send('POST', '/v1/chat/completions', { key, body })
    }
    const json = { 'Content-Type': 'application/json' }
    const moved = await reply((_, response) => response.writeHead(307, { Location: 'http://192.0.2.1/' }).end())
    expect(moved).toMatchObject({ status: 502 })
    expect(moved.json()).toMatchObject({ error: { code: 'engine_answer_bad' } })
    expect(await reply((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('{}'))).toMatchObject({
      status: 502,
    })
    expect((await reply((_, response) => response.writeHead(200, json).end('{'))).json()).toMatchObject({
      error: { code: 'answer_malformed' },
    })
    const endless = Buffer.alloc(64 << 10, 0x20)
    const flood = await reply((_, response) => {
      response.writeHead(200, json)
      const more = (): void => {
        while (!response.destroyed && response.write(endless));
        response.once('drain', more)
      }
      more()
    })
    expect(flood.json()).toMatchObject({ error: { code: 'answer_too_large' } })
    const error = { error: { message: 'no such tool', type: 'invalid_request_error', param: 'tools', code: 'bad_tool' } }
    const refused = await reply((_, response) => response.writeHead(400, json).end(JSON.stringify(error)))
    expect([refused.status, refused.json()]).toEqual([400, error])
    for (const body of [{ error: 'no such model' }, { message: 'no such model' }, { detail: 'no such model' }]) {
      const plain = await reply((_, response) => response.writeHead(404, json).end(JSON.stringify(body)))
      expect([plain.status, plain.json()]).toMatchObject([404, { error: { message: 'no such model' } }])
    }
    // The key of the caller is right: it is the engine's that is not.
    const locked = await reply((_, response) =>
      response.writeHead(401, json).end(JSON.stringify({ error: { message: 'sk-a?' } })),
    )
    expect([locked.status, locked.json()]).toMatchObject([502, { error: { code: 'engine_key_refused' } }])
    expect(locked.text).not.toContain('sk-a')
    for (const [code, again] of [
      ['rate_limit_exceeded', 'true'],
      ['insufficient_quota', 'false'],
    ] as const) {
      const busy = await reply((_, response) =>
        response.writeHead(429, json).end(JSON.stringify({ error: { message: 'x', code } })),
      )
      expect([busy.status, busy.headers['x-should-retry']]).toEqual([429, again])
    }
    const tooLong = { error: { code: 400, type: 'exceed_context_size_error', message: 'too long' } }
    const long = await reply((_, response) => response.writeHead(400, json).end(JSON.stringify(tooLong)))
    expect(long.json()).toMatchObject({ error: { code: 'context_length_exceeded', type: 'invalid_request_error' } })
    const [{ record } = { record: undefined }] = engines.list()
    await engines.remove(record?.id ?? '')
    expect(await reply(undefined)).toMatchObject({ status: 503 })
  })
})
